"""What the end of a step means to Airflow."""

import json

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from wiring import outcome

FAILED = [json.dumps({"status": "failed", "error": "row 7 of log.csv: user_id is 'x'"})]


@pytest.mark.parametrize("exit_code", [65, 70, 78, 1, 2, 99])
def test_what_no_retry_can_mend_is_not_retried(exit_code):
    with pytest.raises(AirflowFailException, match=r"row 7 of log.csv: user_id is 'x'"):
        outcome.check("ingest_events", exit_code, FAILED)


@pytest.mark.parametrize("exit_code", [75, 137, 143, -9, -15])
def test_what_may_pass_is_retried(exit_code):
    with pytest.raises(AirflowException, match="ingest_events") as raised:
        outcome.check("ingest_events", exit_code, FAILED)
    assert not isinstance(raised.value, AirflowFailException)


def test_the_error_is_found_under_what_was_written_after_it():
    with pytest.raises(AirflowFailException, match="row 7"):
        outcome.check("ingest_events", 65, [*FAILED, "", "a late warning"])


def test_without_a_result_the_message_is_the_end_of_the_log():
    with pytest.raises(AirflowFailException, match="no such option: --frobnicate"):
        outcome.check("ingest_events", 78, ["usage: ...", "no such option: --frobnicate"])


def test_success_without_the_agreed_last_line_is_an_error():
    with pytest.raises(AirflowFailException, match="not as agreed"):
        outcome.summary(["all is well"])
    with pytest.raises(AirflowFailException, match="not as agreed"):
        outcome.summary([])


def test_large_facts_stay_in_the_manifest():
    result = {"status": "done", "artifact": {"key": "k"}, "facts": {"rows": 3, "all": "x" * 9_999}}
    assert outcome.summary(["noise", json.dumps(result)]) == {
        "status": "done",
        "artifact": {"key": "k"},
        "facts": {"rows": 3},
    }


def test_the_days_to_run_again_travel_to_the_next_task():
    said = {"status": "done", "artifact": None, "facts": {}, "run_again": ["2026-01-02"]}
    assert outcome.summary([json.dumps(said)])["run_again"] == ["2026-01-02"]
    assert "run_again" not in outcome.summary([json.dumps(said | {"run_again": []})])
