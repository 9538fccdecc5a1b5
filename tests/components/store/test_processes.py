import os
import subprocess
import sys

from components.store import processes


def test_this_process_lives_and_keeps_its_start() -> None:
    assert processes.start_time(os.getpid()) is not None
    assert processes.start_time(os.getpid()) == processes.start_time(os.getpid())


def test_a_process_that_ended_is_not_alive_even_before_it_is_reaped() -> None:
    process = subprocess.Popen([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert processes.start_time(process.pid) is None
    process.stdout.close()
    process.wait()
    assert processes.start_time(process.pid) is None


def test_another_process_started_at_another_time() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert processes.start_time(process.pid) not in (None, processes.start_time(os.getpid()))


def test_the_machine_has_one_name() -> None:
    code = "from components.store import processes; print(processes.machine())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert other.stdout.strip() == processes.machine()
