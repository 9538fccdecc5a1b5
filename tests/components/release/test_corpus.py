"""A corpus comes back as it was written, and answers queries of its own model only."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from components.errors import BadDataError
from components.release.corpus import Corpus


def _corpus(num_posts: int, width: int = 3) -> Corpus:
    generator = np.random.default_rng(0)
    return Corpus(
        "a" * 64,
        np.arange(1, num_posts + 1) * (1 << 40),
        np.arange(num_posts) + 1,
        np.arange(num_posts) % 3 != 0,
        np.arange(num_posts) + 1_000,
        generator.normal(size=(num_posts, width)).astype(np.float32),
        generator.normal(size=(num_posts, 4)).astype(np.float32),
    )


@pytest.mark.parametrize(("num_posts", "width"), [(0, 3), (1, 0), (50, 3)])
def test_a_corpus_survives_a_round_trip_with_64_bit_ids(
    num_posts: int, width: int, tmp_path: Path
) -> None:
    corpus = _corpus(num_posts, width)
    corpus.write(tmp_path)
    again = Corpus.read(tmp_path)
    assert again.model_digest == corpus.model_digest
    for name in ("post_ids", "author_ids", "is_eligible", "created_at", "attributes", "vectors"):
        np.testing.assert_array_equal(getattr(again, name), getattr(corpus, name))


def test_a_corpus_without_creation_times_is_refused_by_name(tmp_path: Path) -> None:
    _corpus(2).write(tmp_path)
    shutil.rmtree(tmp_path / "created_at")
    with pytest.raises(BadDataError, match=r"found no created_at: export this corpus again"):
        Corpus.read(tmp_path)


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _corpus(20).write(tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append([path.read_bytes() for path in files])
    assert contents[0] == contents[1]


def test_queries_of_another_model_are_refused_with_both_digests() -> None:
    with pytest.raises(BadDataError, match=r"aaaaaaaaaaaa, the queries are of the model bbbb"):
        _corpus(3).refuse_other_model("b" * 64)
    _corpus(3).refuse_other_model("a" * 64)


def test_rows_of_posts_and_of_strangers() -> None:
    corpus = _corpus(3)
    ids = np.array([3 << 40, 7, 1 << 40])
    assert corpus.rows_of(ids).tolist() == [2, -1, 0]
    assert _corpus(0).rows_of(ids).tolist() == [-1, -1, -1]
