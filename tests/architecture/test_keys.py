"""The steps that a change in a room makes work again, and no other.

The table is the promise, and the page ARCHITECTURE.md says it in words: a patch that touches a room
makes the artifacts of these steps anew, and leaves all others where they are.
"""

import pytest

from components import contract
from components.run import provenance
from tests.architecture.imports import PHOENIX, ROOMS, room_of

NONE: set[str] = set()
ALL = set(contract.STEPS)
TRAININGS = {"train_retrieval", "train_ranker"}
# What asks a model, or carries one on.
WITH_MODELS = TRAININGS | {
    "evaluate_models",
    "export_corpus",
    "publish_release",
    "materialize_feeds",
}
FEEDS = {"publish_release", "materialize_feeds", "publish_feeds"}
MEASURE = {"measure_feeds"}  # of what was live, without a model
DATA = {"ingest_events", "validate_events", "build_features"}
KEYS: dict[str, set[str]] = {
    **dict.fromkeys(("contract", "errors", "step"), NONE),
    **dict.fromkeys(("store", "settings", "run", "drawings", "profiling", "pages"), NONE),
    **dict.fromkeys(("local", "tuning", "api", "cli"), NONE),
    "source": {"ingest_events"},
    "rows": DATA,
    "quality": {"validate_events", "publish_feeds"},
    "training": TRAININGS,
    "evaluation": {"evaluate_models"},
    "release": WITH_MODELS | MEASURE | {"publish_feeds"},
    "serving": FEEDS | MEASURE,
    "earnings": MEASURE,
    "erasure": DATA | MEASURE | {"evaluate_models", "materialize_feeds", "publish_feeds"},
    "features": ALL - {"ingest_events"},
    "tables": ALL,
    "phoenix.ground": ALL - MEASURE - {"publish_feeds"},
    "phoenix.data": ALL,
    "phoenix.files": WITH_MODELS | {"publish_feeds"},
    "phoenix.metrics": TRAININGS | MEASURE | {"evaluate_models"},
    **dict.fromkeys(
        ("phoenix.search", "phoenix.nn", "phoenix.grok", "phoenix.inputs"), WITH_MODELS
    ),
    **dict.fromkeys(("phoenix.models", "phoenix.inference", "phoenix.recommend"), WITH_MODELS),
    "phoenix.runners": NONE,
    "phoenix.train": TRAININGS,
}


@pytest.fixture(scope="module")
def rooms_by_step() -> dict[str, set[str]]:
    """The places in the house that each step has in its key."""
    return {
        name: {room_of(module).removeprefix("components.") for module in modules}
        for name, step in contract.STEPS.items()
        for modules in [provenance.modules_in_key(step.module)]
    }


@pytest.mark.parametrize("room", KEYS)
def test_a_change_in_a_room_changes_these_steps_and_no_other(room: str, rooms_by_step) -> None:
    assert {step for step, rooms in rooms_by_step.items() if room in rooms} == KEYS[room]


def test_every_room_says_which_steps_it_changes() -> None:
    rooms = {*ROOMS, *(f"phoenix.{room}" for room in PHOENIX), "contract", "errors", "step"}
    assert KEYS.keys() == rooms


def test_a_step_is_in_its_own_key_alone(rooms_by_step) -> None:
    for name, step in contract.STEPS.items():
        others = {each.module for each in contract.STEPS.values()} - {step.module}
        assert not others & provenance.modules_in_key(step.module), name
        assert step.module in provenance.modules_in_key(step.module)
