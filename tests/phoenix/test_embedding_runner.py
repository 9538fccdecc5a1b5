"""Embeddings per split are those of the model, and bad ones are refused."""

import numpy as np
import pytest

from phoenix.array_files import read_array
from phoenix.baselines import Random
from phoenix.embedding_runner import EmbeddingRunner, NotFiniteError, Posts
from tests.phoenix.planted import ACTIONS, world

WINDOWS = world(5).windows
POSTS = Posts(np.arange(1, 8), np.arange(1, 8))
NOBODY = WINDOWS.rows(slice(0))


def runner(**splits):
    return EmbeddingRunner(retriever=Random(actions=ACTIONS, seed=0), splits=splits)


@pytest.mark.parametrize("file_format", ["npy", "tensorstore"])
def test_every_split_is_written_as_the_model_gives_it(file_format, tmp_path):
    extractor = runner(users=WINDOWS, posts=POSTS)
    files = extractor.run(tmp_path, file_format)
    users = extractor.retriever.encode_users(WINDOWS)
    np.testing.assert_array_equal(read_array(files["users"]), users)
    posts = extractor.retriever.encode_posts(*POSTS)
    np.testing.assert_array_equal(read_array(files["posts"]), posts)


def test_a_split_that_is_not_there_or_empty_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"one of the splits \['test'\], got 'train'"):
        runner(test=WINDOWS).embed("train")
    with pytest.raises(ValueError, match="split 'test' has no data"):
        runner(test=NOBODY).run(tmp_path)


def test_vectors_that_are_no_numbers_are_refused_by_post(monkeypatch):
    broken = np.ones((7, 2), np.float32)
    broken[3, 1] = np.nan
    monkeypatch.setattr(Random, "encode_posts", lambda *_: broken)
    with pytest.raises(NotFiniteError, match=r"vectors of 1 posts .* post 4"):
        runner(posts=POSTS).embed("posts")
