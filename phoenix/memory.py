"""The memory of the process: what a step frees is kept for the next one."""

import ctypes

# Parameters of `mallopt`, from `malloc.h` of the GNU C library.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
_NEVER = 2**31 - 1
_GROWTH = 1 << 26  # Bytes by which the heap grows at once.


def keep_freed_memory() -> bool:
    """Tells the C library of this process to keep what is freed instead of giving it back.

    On a CPU, JAX takes the arrays of a step from the C library, which asks the system for each of
    the large ones and returns it at the end: a step of a few hundred megabytes then waits until all
    its pages are made and cleared again. The process stays as large as it ever was. Call it before
    threads are started; memory that they have taken already stays where it is.

    Returns:
      Whether the C library understood; where it did not, nothing has changed but speed.
    """
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is None:
        return False
    # One heap for all threads: that of another thread cannot hold anything large.
    parameters = {_ARENA_MAX: 1, _MMAP_MAX: 0, _TRIM_THRESHOLD: _NEVER, _TOP_PAD: _GROWTH}
    return all(choose(name, value) == 1 for name, value in parameters.items())
