"""The moving parts of a run: what is due after a step, and a way on from any saved state."""

import jax
import numpy as np
import pytest

from phoenix.config import ConfigError
from phoenix.data.window_source import InMemoryWindows
from phoenix.train.loop import TrainLoop
from phoenix.train.run import Run
from phoenix.train.states import TrainStates
from tests.phoenix.planted import ACTIONS, RANKER, SPEC, train_config, world

WINDOWS = world(24).windows  # 18 to train on: 5 steps an epoch


def make(**settings) -> TrainLoop:
    validation = {"fraction": 0.25, **settings.pop("validation", {})}
    config = train_config(RANKER, batch_size=4, epochs=2, validation=validation, **settings)
    return TrainLoop(
        Run(
            model_config=RANKER,
            train_config=config,
            hash_spec=SPEC,
            actions=ACTIONS,
            source=InMemoryWindows(WINDOWS),
        )
    )


def due_steps(loop: TrainLoop) -> list[int]:
    steps = []
    for step in range(1, loop.run.epochs.num_steps + 1):
        loop.progress.step = step
        if loop.is_validation_due:
            steps.append(step)
    return steps


@pytest.mark.parametrize(
    ("validation", "steps"),
    [
        ({}, [5, 10]),
        ({"every_epochs": 2}, [10]),
        ({"every_steps": 4}, [4, 5, 8, 10]),
        ({"fraction": 0.0}, []),
    ],
)
def test_validations_are_due_at_ends_of_epochs_and_after_every_n_th_step(validation, steps):
    assert due_steps(make(validation=validation)) == steps


def test_patience_is_over_when_enough_validations_brought_nothing():
    loop = make(validation={"patience": 2})
    for is_best, is_over in ((True, False), (False, False), (False, True)):
        loop.progress.add_validation(0.5, is_best=is_best)
        assert loop.is_patience_over == is_over


def test_a_metric_that_no_validation_has_is_refused_before_the_first_step():
    make(validation={"monitor": "validation_auc/like"}).check_monitor()
    with pytest.raises(ConfigError, match=r"validation\.monitor.*validation_loss.*'beauty'"):
        make(validation={"monitor": "beauty"}).check_monitor()


def test_remaining_batches_begin_with_the_current_step():
    loop = make()
    batches = list(loop.remaining_batches())
    loop.progress.step = 7
    rest = list(loop.remaining_batches())
    assert (len(batches), len(rest)) == (10, 3)
    jax.tree.map(np.testing.assert_array_equal, rest, batches[7:])


def test_a_resumed_loop_holds_the_model_that_was_saved(tmp_path):
    states = TrainStates(tmp_path)
    with make() as loop:
        loop.run_step()
        loop.run_step()
        loop.save(states)
        states.wait()
        saved = loop.model()
    other = make()
    newest = states.find()
    assert newest is not None
    other.resume(newest)
    assert other.progress.step == 2
    resumed = other.model()
    tables = [[table._replace(slots=None) for table in each.tables] for each in (resumed, saved)]
    jax.tree.map(np.testing.assert_array_equal, resumed.params, saved.params)
    jax.tree.map(np.testing.assert_array_equal, *tables)


def test_a_model_taken_from_the_loop_is_not_changed_by_later_steps():
    with make() as loop:
        loop.run_step()
        model = loop.model()
        before = jax.tree.map(np.array, (model.params, model.tables))
        loop.run_step()
        loop.model()
        jax.tree.map(np.testing.assert_array_equal, (model.params, model.tables), before)
