"""What is saved comes back bit by bit, is refused when damaged, and appears whole or not at all."""

import dataclasses
import json
import pickle

import jax
import numpy as np
import pytest

from phoenix.files import verified_files
from phoenix.files.verified_files import CheckpointError
from phoenix.recommend.checkpoint import load_model, save_model
from phoenix.recommend.trained import OptimizerState, RankingTransformer, TwoTower
from tests.phoenix.planted import RANKER, RETRIEVAL, SPEC, untrained, world

WINDOWS = world(5).windows


def contents(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def ranker():
    return untrained(RANKER)


@pytest.fixture
def saved(tmp_path, ranker):
    save_model(tmp_path / "model", ranker)
    return tmp_path / "model"


def test_ranker_comes_back_and_predicts_the_same_bits(saved, ranker):
    loaded = load_model(saved, kind=RankingTransformer.name)
    for field in ("config", "actions", "hash_spec", "seed"):
        assert getattr(loaded, field) == getattr(ranker, field)
    jax.tree.map(np.testing.assert_array_equal, loaded.params, ranker.params)
    for ours, theirs in zip(loaded.tables, ranker.tables, strict=True):
        np.testing.assert_array_equal(ours.rows, theirs.rows)
        np.testing.assert_array_equal(ours.accumulator, theirs.accumulator)
    np.testing.assert_array_equal(loaded.predict(WINDOWS), ranker.predict(WINDOWS))


def test_retrieval_model_comes_back_and_encodes_the_same_bits(tmp_path):
    model = untrained(RETRIEVAL)
    save_model(tmp_path / "model", model)
    loaded = load_model(tmp_path / "model", kind=TwoTower.name)
    np.testing.assert_array_equal(loaded.encode_users(WINDOWS), model.encode_users(WINDOWS))
    posts = np.arange(1, 9)
    np.testing.assert_array_equal(
        loaded.encode_posts(posts, posts), model.encode_posts(posts, posts)
    )


def test_the_optimizer_comes_back_for_who_goes_on_with_the_training(tmp_path, ranker):
    arrays = {"1/mu/w": np.ones((2, 2), np.float32), "0/count": np.array(7, np.int32)}
    model = dataclasses.replace(ranker, optimizer=OptimizerState(arrays, 7, 9))
    save_model(tmp_path / "model", model)
    assert load_model(tmp_path / "model").optimizer is None
    loaded = load_model(tmp_path / "model", with_optimizer=True).optimizer
    assert loaded[1:] == (7, 9)
    assert loaded.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded.arrays[name], array)


def test_equal_models_are_saved_as_equal_bytes(saved, tmp_path):
    save_model(tmp_path / "again", load_model(saved))
    assert contents(tmp_path / "again") == contents(saved)


def test_saved_model_says_what_it_was_trained_with(saved):
    description = json.loads((saved / "model.json").read_text())
    assert description["kind"] == "ranking_transformer"
    assert description["actions"] == ["like", "hide"]
    assert description["hash_spec"] == SPEC.to_dict()
    assert {"jax", "dm-haiku", "numpy"} <= description["libraries"].keys()


@pytest.mark.parametrize(
    "name", ["model.json", "params.npz", "post_rows.npy", "user_accumulator.npy"]
)
def test_one_flipped_bit_is_refused_by_the_name_of_the_file(saved, name):
    data = bytearray((saved / name).read_bytes())
    data[len(data) // 2] ^= 1
    (saved / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=f"{name}: damaged, expected SHA-256"):
        load_model(saved)


def test_missing_or_shortened_file_is_refused_by_name(saved):
    file = saved / "author_rows.npy"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"author_rows\.npy: damaged, expected \d+ bytes"):
        load_model(saved)
    file.unlink()
    with pytest.raises(CheckpointError, match=r"author_rows\.npy: missing"):
        load_model(saved)


def test_directory_without_or_with_damaged_checksums_is_refused(saved):
    (saved / "checksums.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"checksums\.json: damaged"):
        load_model(saved)
    (saved / "checksums.json").write_text('{"files": {}}')
    with pytest.raises(CheckpointError, match=r"does not cover model\.json"):
        load_model(saved)
    (saved / "checksums.json").unlink()
    with pytest.raises(CheckpointError, match=r"checksums\.json: missing"):
        load_model(saved)
    with pytest.raises(CheckpointError, match="nowhere"):
        load_model(saved / "nowhere")


def test_model_of_another_kind_is_refused(saved):
    with pytest.raises(CheckpointError, match="expected a 'two_tower', got a 'ranking_trans"):
        load_model(saved, kind=TwoTower.name)


def test_pickled_arrays_are_refused(saved):
    payload = np.array([{"a": 1}], dtype=object)
    np.save(saved / "user_rows.npy", payload, allow_pickle=True)
    assert b"numpy" in pickle.dumps(payload)
    sums = json.loads((saved / "checksums.json").read_text())
    file = saved / "user_rows.npy"
    sums["files"]["user_rows.npy"] = {
        "sha256": verified_files.sha256(file),
        "size": file.stat().st_size,
    }
    (saved / "checksums.json").write_text(json.dumps(sums))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_model(saved)


def test_existing_model_is_not_overwritten(saved, ranker):
    before = contents(saved)
    with pytest.raises(FileExistsError, match="model"):
        save_model(saved, ranker)
    assert contents(saved) == before


def test_empty_directory_becomes_the_model(tmp_path, ranker):
    (tmp_path / "model").mkdir()
    save_model(tmp_path / "model", ranker)
    load_model(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_failed_save_leaves_nothing_visible(tmp_path, ranker, monkeypatch):
    def fail(path):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(verified_files, "sync", fail)
        with pytest.raises(OSError, match="disk full"):
            save_model(tmp_path / "model", ranker)
    assert not (tmp_path / "model").exists()
    save_model(tmp_path / "model", ranker)
    load_model(tmp_path / "model")
