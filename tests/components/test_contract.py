import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import contract


def test_steps_read_only_what_is_made_before_them_or_on_earlier_days() -> None:
    order = list(contract.STEPS)
    for number, step in enumerate(contract.STEPS.values()):
        later = [kind for kind in step.reads if order.index(kind) >= number]
        # The champion, the state of the users, and feeds that are kept or were live are of those.
        of_earlier_days = ([], ["publish_release"], ["build_features"], ["publish_feeds"])
        assert later in (*of_earlier_days, ["publish_feeds", "measure_feeds"]), step.name


def test_the_dags_follow_one_another() -> None:
    dags = [step.dag for step in contract.STEPS.values()]
    assert dags == sorted(dags, key=list(contract.Dag).index)


def test_argv_is_a_list_that_names_every_value() -> None:
    argv = contract.EVALUATE_MODELS.argv(
        config="c.yaml", day="2026-01-01", force="keep", reason="a; b $(c)"
    )
    assert argv[:4] == ["--config", "c.yaml", "--day", "2026-01-01"]
    assert argv[4:] == ["--force", "keep", "--reason", "a; b $(c)"]


def test_argv_leaves_out_what_is_not_given_and_refuses_what_is_not_known() -> None:
    assert "--force" not in contract.EVALUATE_MODELS.argv(config="c", day="d", force=None)
    with pytest.raises(ValueError, match="train_ranker has no option 'force'"):
        contract.TRAIN_RANKER.argv(config="c", day="d", force="keep")


@given(day=st.dates(min_value=datetime.date(1000, 1, 1)))
def test_a_day_is_read_as_it_is_written(day: datetime.date) -> None:
    assert contract.parse_day(day.isoformat()) == day


@pytest.mark.parametrize("text", ["2026-1-1", "20260101", "2026-02-30", "2026-01-01T00", "", "x"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"day|month"):
        contract.parse_day(text)


def test_a_result_is_one_object_with_a_status() -> None:
    assert contract.parse_result('{"status": "done"}') == {"status": "done"}
    for line in ("", "done", "[]", "{}"):
        with pytest.raises(ValueError, match="got"):
            contract.parse_result(line)
