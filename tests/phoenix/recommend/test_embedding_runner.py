"""Embeddings per split are those of the model, and bad ones are refused."""

import numpy as np
import pytest

from phoenix.files.array_files import read_array
from phoenix.recommend.baselines import Collection, Random
from phoenix.recommend.embedding_runner import EmbeddingRunner, NonFiniteOutputError
from tests.phoenix.planted import ACTIONS, world

WINDOWS = world(5).windows
POSTS = Collection(np.arange(1, 8), np.arange(1, 8), np.arange(1, 8) != 3)
NOBODY = WINDOWS.rows(slice(0))


def runner(kind=EmbeddingRunner, **splits):
    return kind(retriever=Random(actions=ACTIONS, seed=0), splits=splits)


@pytest.mark.parametrize("file_format", ["npy", "tensorstore"])
def test_every_split_is_written_as_the_model_gives_it(file_format, tmp_path):
    extractor = runner(users=WINDOWS, posts=POSTS)
    vectors = extractor.run(tmp_path / "new", file_format)
    suffix = ".npy" if file_format == "npy" else ""
    for split, found in vectors.items():
        np.testing.assert_array_equal(read_array(tmp_path / "new" / f"{split}{suffix}"), found)
    users = extractor.retriever.encode_users(WINDOWS)
    np.testing.assert_array_equal(vectors["users"], users)
    posts = extractor.retriever.encode_posts(POSTS.post_ids, POSTS.author_ids)
    posts[2] = 0  # not eligible
    np.testing.assert_array_equal(vectors["posts"], posts)


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert runner(users=WINDOWS).run()["users"].shape[0] == 5
    assert not list(tmp_path.iterdir())


def test_a_subclass_extracts_something_else_by_one_method():
    class Halved(EmbeddingRunner):
        def embed(self, split):
            return super().embed(split) / 2

    whole, half = (runner(kind, users=WINDOWS).run()["users"] for kind in (EmbeddingRunner, Halved))
    np.testing.assert_array_equal(half, whole / 2)


def test_a_split_that_is_not_there_or_empty_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"one of the splits \['test'\], got 'train'"):
        runner(test=WINDOWS).embed("train")
    with pytest.raises(ValueError, match="split 'test' has no data"):
        runner(users=WINDOWS, test=NOBODY).run(tmp_path)
    assert not list(tmp_path.iterdir())


def test_vectors_that_are_no_numbers_are_refused_by_post(monkeypatch):
    broken = np.ones((6, 2), np.float32)
    broken[2, 1] = np.nan
    monkeypatch.setattr(Random, "encode_posts", lambda *_: broken)
    with pytest.raises(NonFiniteOutputError, match=r"vectors of 1 posts .* post 4"):
        runner(posts=POSTS).embed("posts")
