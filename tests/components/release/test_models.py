"""Models are named by their content and loaded whatever their kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.errors import BadDataError
from components.release import models
from components.release.models import ModelFolder
from phoenix.recommend.baselines import Random

LAST = "2026-01-03"


@pytest.mark.parametrize("role", ["retrieval", "ranker"])
def test_a_copy_in_a_release_has_the_digest_of_the_original(role: str, three_days) -> None:
    trained = ModelFolder(three_days.artifact(f"train_{role}", LAST), "model")
    assert models.folder_digest(trained.artifact.path("model")) == trained.digest
    release = three_days.artifact("publish_release", LAST)
    for each in ("retrieval", "ranker"):
        folder = release.facts[each]["folder"]
        assert ModelFolder(release, folder).digest == release.facts[each]["digest"]


def test_models_of_every_kind_come_back_with_equal_bytes(three_days, tmp_path: Path) -> None:
    evaluation = three_days.artifact("evaluate_models", LAST)
    folders = {
        "popular": evaluation.path("fallback"),
        "two_tower": three_days.artifact("train_retrieval", LAST).path("model"),
        "ranker": three_days.artifact("train_ranker", LAST).path("model"),
    }
    for name, folder in folders.items():
        models.save(tmp_path / name, models.load(folder, with_optimizer=True))
        assert models.folder_digest(tmp_path / name) == models.folder_digest(folder)


def test_a_damaged_model_is_refused_by_the_name_of_its_file(world, tmp_path: Path) -> None:
    folder = world.artifact("train_ranker", LAST).path("model")
    file = folder / "post_rows.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(BadDataError, match=r"post_rows\.npy"):
        models.load(folder)


@pytest.mark.parametrize(
    ("load", "accepted"),
    [
        (models.load_retriever, {"two_tower", "most_popular", "random"}),
        (models.load_ranker, {"ranking_transformer", "most_popular", "random"}),
        (models.load_trained, {"two_tower", "ranking_transformer"}),
        (models.load_most_popular, {"most_popular"}),
    ],
)
def test_a_model_of_another_kind_is_refused_with_both_names(
    load: Callable[[Path], Any], accepted: set[str], three_days, tmp_path: Path
) -> None:
    models.save(tmp_path / "random", Random(("click",), seed=1))
    folders = {
        "two_tower": three_days.artifact("train_retrieval", LAST).path("model"),
        "ranking_transformer": three_days.artifact("train_ranker", LAST).path("model"),
        "most_popular": three_days.artifact("evaluate_models", LAST).path("fallback"),
        "random": tmp_path / "random",
    }
    for kind, folder in folders.items():
        if kind in accepted:
            assert load(folder).name == kind
            continue
        with pytest.raises(BadDataError, match=f"{folder}: expected .*, got a {kind}") as error:
            load(folder)
        assert all(name in str(error.value) for name in accepted)


def test_a_folder_without_a_model_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match=f"{tmp_path}: expected the folder of a model"):
        models.load(tmp_path)
