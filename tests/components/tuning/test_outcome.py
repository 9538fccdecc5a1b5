"""An outcome is better by evidence or none, and shows both by its numbers."""

import numpy as np

from components.tuning.outcome import Judged, Outcome
from components.tuning.trials import Trial
from phoenix.metrics.by_user import UserValues
from phoenix.metrics.evidence import Evidence
from tests.components.training.log_store import day_of


def _outcome(*, num_users: int, min_users: int) -> Outcome:
    users = np.arange(num_users, dtype=np.int64)
    present = UserValues(users, np.linspace(0.1, 0.5, num_users), np.ones(num_users))
    other = present._replace(values=present.values + np.linspace(0.09, 0.11, num_users))
    judged = Judged({"epochs": 2}, [Trial({"gauc": other}, 3.0)])
    judged.evidence["gauc"] = Evidence.of_day(other, present)
    return Outcome(
        role="ranker",
        days=[day_of(1)],
        metrics=["gauc"],
        present=Judged({}, [Trial({"gauc": present}, 4.0)]),
        others=[judged],
        confidence=0.95,
        min_users=min_users,
    )


def test_rows_have_the_means_the_gains_and_the_time() -> None:
    outcome = _outcome(num_users=60, min_users=50)
    present, better = outcome.rows()
    assert (present["changes"], present["seconds"]) == ({}, 4.0)
    assert (better["changes"], better["is_best"], better["days"]) == ({"epochs": 2}, True, 1)
    assert np.isclose(present["metrics"]["gauc"]["mean"], 0.3)
    assert np.isclose(better["metrics"]["gauc"]["mean"], 0.4)
    assert np.isclose(better["metrics"]["gauc"]["gain"], 0.1)
    assert "epochs 2, gauc +0.1000 (+0.098" in outcome.sentence


def test_few_users_are_no_evidence() -> None:
    outcome = _outcome(num_users=40, min_users=50)
    assert outcome.best is None
    assert outcome.sentence == (
        "The present settings stay: none of 1 other setting, 2026-01-02 to 2026-01-02, is surely "
        "better."
    )
