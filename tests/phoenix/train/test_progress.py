"""What a run knows of its own past is saved and restored whole."""

import dataclasses

import pytest

from phoenix.data.window_source import InMemoryWindows
from phoenix.train.config import RankerTrainConfig
from phoenix.train.loop import TrainLoop
from phoenix.train.progress import RunProgress
from phoenix.train.run import Run
from phoenix.train.states import TrainStates
from tests.phoenix.planted import ACTIONS, RANKER, SPEC, world

# For each type of a field a value that no field has at first.
EXAMPLES = {
    int: 3,
    list[float]: [0.5, 0.125],
    list[dict[str, float]]: [{"step": 2, "loss": 0.25}],
    dict[str, float]: {"temperature": 0.1},
    float | None: -0.75,
}
FIELDS = dataclasses.fields(RunProgress)
# What the states hold that earlier versions of the trainer have written.
WRITTEN = {
    "step": 5,
    "skipped_steps": 2,
    "skipped_in_a_row": 1,
    "curve": [{"step": 4, "epoch": 0, "loss": 0.5}],
    "losses": [0.25],
    "scalars": {"temperature": 0.1},
    "validation": {"validation_loss": 0.75},
    "best": 0.75,
    "waited": 1,
}


def loop() -> TrainLoop:
    return TrainLoop(
        Run(
            model_config=RANKER,
            train_config=RankerTrainConfig(batch_size=4),
            hash_spec=SPEC,
            actions=ACTIONS,
            source=InMemoryWindows(world(16).windows),
        )
    )


def test_every_field_survives_a_save_and_a_resume(tmp_path):
    progress = RunProgress(**{field.name: EXAMPLES[field.type] for field in FIELDS})
    first = RunProgress()
    for field in FIELDS:
        assert getattr(progress, field.name) != getattr(first, field.name), field.name
    saved, resumed, states = loop(), loop(), TrainStates(tmp_path)
    saved.progress = progress
    saved.save(states)
    states.wait()
    state = states.find()
    assert state is not None
    resumed.resume(state)
    assert resumed.progress == progress


def test_a_state_of_an_earlier_version_is_read():
    assert RunProgress.from_json({**WRITTEN, "epoch": 0, "metric": None}).to_json() == WRITTEN


def test_a_field_that_a_state_lacks_is_named():
    with pytest.raises(KeyError, match="waited"):
        RunProgress.from_json({name: WRITTEN[name] for name in WRITTEN if name != "waited"})


def test_a_step_that_counts_ends_a_row_of_skipped_ones():
    progress = RunProgress()
    for _ in range(2):
        progress.add_skipped_step()
    assert (progress.skipped_steps, progress.skipped_in_a_row) == (2, 2)
    progress.add_step(0.5, {})
    assert (progress.skipped_steps, progress.skipped_in_a_row) == (2, 0)


def test_a_point_is_in_the_curve_where_a_step_counted_since_the_last():
    progress = RunProgress(losses=[0.5], validation={"validation_loss": 0.25})
    progress.add_point({"step": 1, "loss": 0.5})
    assert (progress.losses, progress.validation) == ([], {})
    progress.add_point({"step": 2, "loss": float("nan")})
    assert progress.curve == [{"step": 1, "loss": 0.5}]


def test_validations_since_the_best_one_are_counted():
    progress = RunProgress()
    for value, is_best in ((0.5, True), (0.7, False), (0.6, False)):
        progress.add_validation(value, is_best=is_best)
    assert (progress.best, progress.waited) == (0.5, 2)
    progress.add_validation(0.4, is_best=True)
    assert (progress.best, progress.waited) == (0.4, 0)


def test_a_metric_that_is_not_in_the_curve_yet_has_a_value():
    progress = RunProgress(step=3, curve=[{"step": 2, "auc": 0.5}], validation={"auc": 0.75})
    assert progress.value_of("auc") == 0.75
    assert progress.value_of("loss") is None
