"""A trial is a training on the days before a day, judged as the gate does, and leaves no trace."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from components.errors import StoppedError
from components.training import auto, trainer
from components.tuning.space import with_changes
from components.tuning.trials import Trials
from phoenix.train.optimizer import DivergenceError
from tests.components.conftest import DAYS, World, day_of

LAST = day_of(DAYS[2])


def _config(world: World, role: str):
    numbers = auto.origin_of(world.config, world.store, LAST, role).numbers
    return auto.with_numbers(world.config, role, numbers)


@pytest.mark.parametrize("role", ["ranker", "retrieval"])
def test_a_trial_is_the_training_of_the_day_judged_as_the_gate_does(role, world) -> None:
    # From scratch, as a trial is.
    world.edit(f"train_{role}:\n", f"train_{role}:\n  warm_start: false\n")
    before = world.heads(), world.live_day()
    trials = Trials(world.store, role)
    config = _config(world, role)
    assert trials.find(config, LAST) is None
    trial = trials.run(config, LAST)
    assert (world.heads(), world.live_day()) == before
    known = Trials(world.store, role).find(config, LAST)
    assert known is not None
    assert known.is_known
    for metric, values in trial.values.items():
        for own, again in zip(values, known.values[metric], strict=True):
            np.testing.assert_array_equal(own, again)
    assert trials.find(with_changes(config, role, {"epochs": 3}), LAST) is None
    assert world.run_day(DAYS[2], (f"train_{role}", "evaluate_models")) == [0, 0]
    metrics = json.loads(
        world.artifact("evaluate_models", DAYS[2]).path("metrics.json").read_text()
    )
    gate = metrics[role]["candidate"]
    for metric, values in trial.values.items():
        assert values.mean == pytest.approx(gate[metric], abs=1e-12)
    files = list((Path(world.config.store) / "work/tune" / role).iterdir())
    assert len(files) == 1
    names = {int(user) for user in next(iter(trial.values.values())).user_ids}
    places = json.loads(files[0].read_text())["values"][metric]["places"]
    assert not names & set(places), "no id of a user is in the file"


def test_a_stopped_trial_goes_on_to_the_same_values(world, monkeypatch) -> None:
    world.edit("train_ranker:\n", "train_ranker:\n  checkpoint_every_steps: 3\n")
    config = _config(world, "ranker")
    whole = Trials(world.store, "ranker").run(config, LAST)
    (file,) = (Path(world.config.store) / "work/tune/ranker").iterdir()
    file.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "_log_progress", lambda _: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(StoppedError):
            Trials(world.store, "ranker").run(config, LAST)
    (states,) = (Path(world.config.store) / "work").glob("train_ranker-*")
    again = Trials(world.store, "ranker").run(config, LAST)
    for metric, values in whole.values.items():
        np.testing.assert_array_equal(values.values, again.values[metric].values)
    assert not states.exists()


def test_a_training_that_leaves_the_finite_numbers_is_a_failed_trial(world, monkeypatch) -> None:
    def diverge(self) -> None:
        raise DivergenceError("21 steps in a row")

    monkeypatch.setattr("phoenix.train.runner.TrainRunner.run", diverge)
    trial = Trials(world.store, "ranker").run(_config(world, "ranker"), LAST)
    assert (trial.values, trial.failure) == ({}, "21 steps in a row")
