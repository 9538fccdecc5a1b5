"""Processes and groups of an Airflow: whose they are, and how they end."""

import os
import signal
import time

from components.local import process_groups
from components.store import processes

SLEEP = "print(flush=True); import time; time.sleep(60)"


def test_a_number_that_now_belongs_to_somebody_else_is_not_ended(start):
    with start(SLEEP) as other:
        assert not process_groups.is_alive(other.pid, "1")  # it started at another time
        process_groups.end_groups([(other.pid, "1")])
        time.sleep(0.1)
        assert other.poll() is None
        other.kill()


def test_a_process_that_never_started_is_not_alive():
    assert not process_groups.is_alive(os.getpid(), None)
    assert process_groups.is_alive(os.getpid(), processes.start_time(os.getpid()))


def test_a_group_ends_with_what_its_leader_started(start):
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(60)']); print(child.pid, flush=True); child.wait()"
    )
    leader = start(code, start_new_session=True)
    group = leader.pid
    process_groups.end_groups([(group, processes.start_time(group))])
    with leader:
        leader.wait(5)
    assert is_gone(group)


def is_gone(group):
    """Whether nothing is left of a group; its dead are, until their parent takes note."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_a_signal_to_what_is_gone_is_fine(start):
    with start("print(flush=True)") as process:
        process.wait()
    process_groups.send_signal(process.pid, signal.SIGTERM)


def test_strangers_are_found_by_the_home_in_their_environment(start, deployment, tmp_path):
    with start(SLEEP) as process:
        assert process_groups.strangers(deployment.home) == [process.pid]
        assert process_groups.strangers(tmp_path / "another") == []
        assert process_groups.homes_in_use(tmp_path) == {deployment.home}
        assert process_groups.homes_in_use(tmp_path / "another") == set()
        process.kill()
