"""The step that trains the ranker model: its artifact, and what its option asks for."""

import jax

from components.release import release_files
from components.release.models import MODEL, ModelFolder
from tests.components.conftest import DAYS


def test_the_step_writes_a_model_of_its_kind_and_a_learning_curve(three_days) -> None:
    artifact = three_days.artifact("train_ranker", DAYS[2])
    assert artifact.facts["trained"]
    assert artifact.facts["device"] == jax.default_backend()
    assert ModelFolder(artifact, MODEL).kind == "ranking_transformer"
    assert artifact.path(release_files.CURVE_FILE).stat().st_size > 2


def test_the_step_trains_nothing_where_it_is_told_so(world) -> None:
    assert world.run("train_ranker", DAYS[2], retrain="never") == 0
    facts = world.artifact("train_ranker", DAYS[2]).facts
    assert (facts["trained"], facts["reason"]) == (False, "--retrain never")
