"""What the demonstration shows on the way; its results are shown in the end-to-end tests."""

import datetime

from components.cli import demo_view
from components.local.cascade import Cascade, DagRun
from components.local.client import AirflowClient


def run(dag_id, state, seconds=None):
    return DagRun(dag_id, "run", "2026-01-01", state, seconds)


def test_a_pipe_gets_one_line_when_a_run_ends_and_no_other(capsys):
    cascade = Cascade(AirflowClient("http://nowhere", "", ""), [datetime.date(2026, 1, 1)])
    with demo_view.progress(cascade) as show:
        show()
        cascade.runs["2026-01-01", "phoenix_data"] = run("phoenix_data", "running")
        show()
        assert capsys.readouterr().out == ""
        cascade.runs["2026-01-01", "phoenix_data"] = run("phoenix_data", "success", 12.34)
        show()
        show()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[2:] == ["2026-01-01", "phoenix_data", "success", "12.3", "s"]


def test_waiting_says_afterwards_how_long_it_took(capsys):
    with demo_view.waiting("Starting Airflow"):
        pass
    assert capsys.readouterr().out.endswith("Starting Airflow: 0 s\n")


def test_the_way_to_log_in_names_address_user_and_file_but_no_password(capsys, tmp_path):
    passwords = tmp_path / "passwords.json"
    passwords.write_text('{"admin": "hush"}')
    demo_view.how_to_log_in("http://127.0.0.1:8080", "admin", passwords)
    shown = capsys.readouterr().out
    assert "http://127.0.0.1:8080" in shown
    assert str(passwords) in shown
    assert "hush" not in shown
