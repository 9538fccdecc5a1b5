"""The simulation of releases: one that earns less is found out, an equal one is left in peace."""

import pytest

from benchmarks import release_losses


@pytest.mark.parametrize(
    ("rate", "at_least", "at_most"), [(0.95, 0.9, 1), (1, 0, 0.05), (1.05, 0, 0)]
)
def test_a_release_is_flagged_by_what_it_earns(rate, at_least, at_most) -> None:
    share = release_losses.flagged_share(rate, num_days=2, num_seeds=20)
    assert at_least <= share <= at_most


@pytest.mark.slow
def test_a_loss_of_a_twentieth_is_flagged_within_two_days() -> None:
    worlds = {"num_seeds": 100, "first_seed": 1_000}
    assert release_losses.flagged_share(0.95, num_days=2, **worlds) >= 0.95
    assert release_losses.flagged_share(1.0, num_days=2, **worlds) <= 0.05
    assert release_losses.flagged_share(1.0, num_days=14, **worlds) <= 0.05
