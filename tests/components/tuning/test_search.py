"""A search finds what is better, believes no luck, and stays within its budget.

Trials are worlds of numbers here: each user has values of a known mean. `test_tune` has real ones.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from components.errors import BadConfigurationError, BadDataError
from components.settings.config import Config
from components.training import auto
from components.training.log_rules import LogSize
from components.tuning.outcome import NO_TIME, Outcome
from components.tuning.search import Search
from components.tuning.trials import Trial
from phoenix.metrics.by_user import UserValues
from tests.components.training.log_store import config_of, day_of

USERS = np.arange(400, dtype=np.int64)
DAYS = [day_of(number) for number in (3, 4, 5)]


@dataclass
class World:
    """Trials whose values have a given mean, and a clock that they move on."""

    gains: Callable[[Config], Mapping[str, float]]  # by metric
    seconds: float = 10.0
    now: float = 0.0
    made: list[tuple[str, datetime.date]] = field(default_factory=list)
    memory: dict[tuple[str, datetime.date], Trial] = field(default_factory=dict)

    def find(self, config: Config, day: datetime.date) -> Trial | None:
        trial = self.memory.get((config.train_ranker.model_dump_json(), day))
        return None if trial is None else trial._replace(is_known=True)

    def run(self, config: Config, day: datetime.date) -> Trial:
        key = config.train_ranker.model_dump_json(), day
        self.made.append(key)
        self.now += self.seconds
        settings = sum(key[0].encode()) % 2**31  # so that equal settings have equal values
        generator = np.random.default_rng([day.toordinal(), settings])
        users = np.random.default_rng(day.toordinal()).normal(size=len(USERS))
        values = {
            metric: UserValues(
                USERS,
                0.5 + gain + 0.1 * users + 0.02 * generator.normal(size=len(USERS)),
                np.ones(len(USERS)),
            )
            for metric, gain in self.gains(config).items()
        }
        self.memory[key] = Trial(values, self.seconds)
        return self.memory[key]


def _config(folder) -> Config:
    section = {"epochs": 2, "batch_size": 32, "learning_rate": 0.003}
    config = config_of(folder, train_ranker=section)
    numbers = auto.numbers_for(config, "ranker", LogSize(rows=5_000))
    return auto.with_numbers(config, "ranker", numbers)


SPACE: dict[str, list[Any]] = {
    "epochs": [1, 4],
    "batch_size": [64, 128],
    "learning_rate": [0.001, 0.01],
}


def _search(world: World, folder, *, minutes: float = 60, tell=lambda line: None) -> Outcome:
    return Search(
        config=_config(folder),
        role="ranker",
        days=DAYS,
        trials=world,
        minutes=minutes,
        tell=tell,
        clock=lambda: world.now,
    ).run(SPACE)


def _planted(config: Config) -> dict[str, float]:
    section = config.train_ranker
    gain = 0.02 * (section.epochs == 4) + 0.01 * (section.batch_size == 64)
    return {"ndcg@5": gain - 0.05 * (section.learning_rate == 0.01), "gauc": gain}


def test_what_is_better_alone_is_tried_together_and_found(tmp_path) -> None:
    outcome = _search(World(_planted), tmp_path)
    assert outcome.best is not None
    assert outcome.best.changes["epochs"] == 4
    assert outcome.best.changes["batch_size"] == 64
    low, high = outcome.interval(outcome.best, "ndcg@5") or (0, 0)
    assert 0 < low < 0.03 < high
    assert "Surely better of" in outcome.sentence
    assert "epochs 4" in outcome.sentence
    assert outcome.rows()[1]["is_best"]


def test_what_is_surely_worse_is_not_asked_again(tmp_path) -> None:
    outcome = _search(World(_planted), tmp_path)
    (worse,) = [each for each in outcome.others if each.changes == {"learning_rate": 0.01}]
    assert worse.end == "surely worse on 1 of 3 days"
    assert len(worse.trials) == 1


@pytest.mark.parametrize("scale", [0, 1, 2, 3, 4])
def test_equal_settings_leave_the_present_ones(scale: int, tmp_path) -> None:
    world = World(lambda config: {"ndcg@5": float(scale), "gauc": 0.0})
    outcome = _search(world, tmp_path)
    assert outcome.best is None
    assert outcome.sentence.startswith("The present settings stay: none of ")
    assert len(outcome.others) >= 6
    # Seven that are asked have to be as sure together as one by itself.
    assert outcome.confidence == pytest.approx(1 - 0.05 / len(outcome.others))


def test_a_gain_that_another_metric_pays_for_is_none(tmp_path) -> None:
    world = World(
        lambda config: {
            "ndcg@5": 0.03 * (config.train_ranker.epochs == 4),
            "gauc": -0.03 * (config.train_ranker.epochs == 4),
        }
    )
    assert _search(world, tmp_path).best is None


def test_a_search_ends_with_its_budget_and_goes_on_from_there(tmp_path) -> None:
    world, lines = World(_planted), list[str]()
    # Of 33 trials or so, 12 fit.
    first = _search(world, tmp_path, minutes=2.1, tell=lines.append)
    assert len(world.made) == 12
    assert not first.is_whole
    assert {each.end for each in first.others if len(each.trials) < 3} <= {
        NO_TIME,
        "surely worse on 1 of 3 days",
    }
    second = _search(world, tmp_path)
    assert len(world.made) == len(set(world.made)), "no trial is made twice"
    assert second.is_whole
    assert second.rows() == _search(World(_planted), tmp_path).rows()
    assert "the present settings on 2026-01-04: ndcg@5 0.5" in lines[0]
    assert "(10 s earlier; 0.2 of 2.1 minutes)" in lines[0]
    assert "1 of at least 6: epochs 1 on 2026-01-04: ndcg@5 " in lines[3]


def test_a_budget_for_no_other_setting_is_refused_after_one_trial(tmp_path) -> None:
    world = World(_planted)
    with pytest.raises(BadConfigurationError, match=r"--minutes 0.5: too few .* 1.0 minutes, or "):
        _search(world, tmp_path, minutes=0.5)
    assert len(world.made) == 1
    assert _search(world, tmp_path, minutes=0.9).present.is_whole, "that one is known by now"


def test_settings_that_fail_are_told_and_cost_the_others_nothing(tmp_path) -> None:
    class Failing(World):
        def run(self, config: Config, day: datetime.date) -> Trial:
            if config.train_ranker.learning_rate == 0.01:
                return Trial({}, 1.0, failure="training left the finite numbers")
            return super().run(config, day)

    outcome = _search(Failing(_planted), tmp_path)
    row = next(r for r in outcome.rows() if r["changes"] == {"learning_rate": 0.01})
    assert row["end"] == "failed on 2026-01-04: training left the finite numbers"
    assert row["metrics"]["ndcg@5"] == {"mean": None, "gain": None, "interval": None}
    assert outcome.best is not None


def test_present_settings_that_fail_end_the_search(tmp_path) -> None:
    class Failing(World):
        def run(self, config: Config, day: datetime.date) -> Trial:
            return Trial({}, 1.0, failure="3 windows")

    with pytest.raises(BadDataError, match=r"present settings cannot be judged: .*: 3 windows\."):
        _search(Failing(_planted), tmp_path)


def test_a_space_of_present_values_is_refused(tmp_path) -> None:
    search = Search(
        config=_config(tmp_path),
        role="ranker",
        days=DAYS,
        trials=World(_planted),
        minutes=1,
        tell=lambda line: None,
    )
    with pytest.raises(BadConfigurationError, match="every value is the present one"):
        search.run({"epochs": [2]})
    with pytest.raises(BadConfigurationError, match=r"`checkpoints\.result`"):
        search.run({"checkpoints.result": ["best"]})
