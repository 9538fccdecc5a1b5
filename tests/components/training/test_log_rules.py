"""Numbers that follow a log fit it, and what does not fit is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.training import log_rules
from components.training.log_rules import LogSize

SIZES = st.floats(1, 1e9)
BUDGET = 10_000_000  # windows


@given(SIZES, SIZES, st.sampled_from(["retrieval", "ranker"]))
def test_a_day_of_a_log_of_any_size_gives_batches_that_it_fills(windows, users, role) -> None:
    log = LogSize(rows=4 * windows, windows=windows, users=users)
    values = log_rules.numbers(role, log, window_budget=BUDGET)
    assert 32 <= values["batch_size"] <= 256
    assert values["batch_size"] <= max(windows / 64, 32)
    steps = windows * values["epochs"] / values["batch_size"]
    assert steps >= log_rules.ENOUGH_STEPS or values["epochs"] == 8 or windows < 32
    # As many days as the budget allows: one more would be too many, or older than two weeks.
    days = values["window_days"]
    assert days * windows <= BUDGET or days == 1
    assert (days + 1) * windows > BUDGET or days == 14


def test_five_thousand_rows_are_not_learned_in_six_steps() -> None:
    log = LogSize(rows=5_000, windows=1_250, users=400)
    values = log_rules.numbers("ranker", log, window_budget=BUDGET)
    steps = 1_250 * values["epochs"] / values["batch_size"]
    assert log_rules.too_few_steps(int(steps), 1_250) is None
    assert log_rules.too_few_steps(6, 1_250) is not None


@pytest.mark.parametrize(
    ("factor", "is_kept"), [(0.24, False), (0.3, True), (3.9, True), (4.1, False)]
)
def test_numbers_are_kept_until_a_log_grew_or_shrank_fourfold(factor: float, is_kept: bool) -> None:
    low, high = log_rules.kept_between(1_000)
    assert (low < 1_000 * factor < high) == is_kept


def test_users_who_see_little_have_no_factorization() -> None:
    rare = LogSize(rows=2_000, windows=1_500, users=1_000)
    for log, has_factorization in ((rare, False), (rare._replace(users=100), True)):
        values = log_rules.numbers("ranker", log, window_budget=BUDGET)
        assert values["model"]["factorization"] == has_factorization


def test_small_logs_with_users_and_authors_who_come_back_have_factors_of_taste() -> None:
    shop = LogSize(rows=5_000, windows=1_000, users=370, rows_per_author=160)
    rare, large = shop._replace(users=4_000), shop._replace(rows=5e6)
    own, unknown = shop._replace(rows_per_author=25), shop._replace(rows_per_author=None)
    for log, size in ((shop, 8), (rare, 0), (large, 0), (own, 0), (unknown, 0)):
        values = log_rules.numbers("retrieval", log, window_budget=BUDGET)
        assert values["model"]["taste_size"] == size
    values = log_rules.numbers("retrieval", shop, window_budget=BUDGET, learns_next_items=True)
    assert values["model"]["taste_size"] == 0


def test_next_items_of_rare_posts_are_learned_with_more_dropout() -> None:
    log = LogSize(rows=2_000, windows=1_500, users=1_000, rows_per_post=20)
    for learns_next_items, rate in ((False, 0), (True, 0.5)):
        values = log_rules.numbers(
            "retrieval", log, window_budget=BUDGET, learns_next_items=learns_next_items
        )
        assert values["model"]["dropout_rate"] == rate
