"""Memory that was freed is used again, without new pages from the system."""

import os
import subprocess
import sys

import pytest

_SCRIPT = """
import resource, threading
import numpy as np
from phoenix.memory import keep_freed_memory

def work():
    for _ in range(2):
        np.ones(1 << 25, np.float32)

is_kept = {keeps} and keep_freed_memory()
faults = []
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=work)
    thread.start(), thread.join()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(int(is_kept), faults[-1])
"""


def faults_of_the_last_round(*, keeps: bool) -> int:
    """Pages that a thread had to be given for arrays of a size that was freed before."""
    command = [sys.executable, "-c", _SCRIPT.format(keeps=keeps)]
    # Small pages, whatever NumPy would choose, so that they can be counted.
    environment = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    is_kept, faults = subprocess.check_output(command, text=True, env=environment).split()
    if keeps and not int(is_kept):
        pytest.skip("the C library of this system has no `mallopt`")
    return int(faults)


def test_freed_memory_is_used_again() -> None:
    pages = 2 * (1 << 27) // 4096
    assert faults_of_the_last_round(keeps=False) > pages / 2
    assert faults_of_the_last_round(keeps=True) < pages / 100
