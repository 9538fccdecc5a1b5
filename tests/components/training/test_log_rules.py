"""Numbers that follow a log fit it, and what does not fit is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.training import log_rules
from components.training.log_rules import LogSize

SIZES = st.floats(1, 1e9)


@given(SIZES, SIZES, st.sampled_from(["retrieval", "ranker"]))
def test_a_day_of_a_log_of_any_size_gives_batches_that_it_fills(windows, users, role) -> None:
    log = LogSize(rows=4 * windows, windows=windows, users=users)
    values = log_rules.numbers(role, log)
    assert 32 <= values["batch_size"] <= 256
    assert values["batch_size"] <= max(windows / 64, 32)
    steps = windows * values["epochs"] / values["batch_size"]
    assert steps >= log_rules.ENOUGH_STEPS or values["epochs"] == 8 or windows < 32


def test_five_thousand_rows_are_not_learned_in_six_steps() -> None:
    values = log_rules.numbers("ranker", LogSize(rows=5_000, windows=1_250, users=400))
    steps = 1_250 * values["epochs"] / values["batch_size"]
    assert log_rules.too_few_steps(int(steps), 1_250) is None
    assert log_rules.too_few_steps(6, 1_250) is not None


@pytest.mark.parametrize(
    ("factor", "is_like"), [(0.24, False), (0.3, True), (3.9, True), (4.1, False)]
)
def test_a_log_is_another_one_when_it_grew_or_shrank_fourfold(factor: float, is_like: bool) -> None:
    log = LogSize(rows=1_000, windows=300, users=50)
    assert log._replace(rows=1_000 * factor).is_like(log) == is_like


def test_users_who_see_little_have_no_factorization() -> None:
    rare = LogSize(rows=2_000, windows=1_500, users=1_000)
    assert not log_rules.numbers("ranker", rare)["model"]["factorization"]
    assert log_rules.numbers("ranker", rare._replace(users=100))["model"]["factorization"]


def test_next_items_of_rare_posts_are_learned_with_more_dropout() -> None:
    log = LogSize(rows=2_000, windows=1_500, users=1_000, rows_per_post=20)
    assert log_rules.numbers("retrieval", log)["model"]["dropout_rate"] == 0
    values = log_rules.numbers("retrieval", log, learns_next_items=True)
    assert values["model"]["dropout_rate"] == 0.5
