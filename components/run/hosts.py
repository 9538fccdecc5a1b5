"""Several processes that train one model: the first one leads and writes, the others follow.

All are started by the same command; `JAX_COORDINATOR_ADDRESS`, `JAX_NUM_PROCESSES` and the index of
the process, as an indexed Job of Kubernetes sets it, make them one. Without these variables there
is one process, which leads. They say where to train and nothing about what.
"""

import os

_MAX_BYTES = 64  # all processes must send arrays of one size, whatever their text


def join() -> None:
    """Joins the processes that the environment names, if it names any."""
    if os.environ.get("JAX_COORDINATOR_ADDRESS"):  # Else JAX need not be imported yet.
        from phoenix.train.placement import join_hosts

        join_hosts()


def is_leader() -> bool:
    """Whether this process writes the artifact."""
    if not os.environ.get("JAX_COORDINATOR_ADDRESS"):
        return True
    from phoenix.train.placement import is_writer

    return is_writer()


def agree(text: str) -> str:
    """Returns the text of the leader, in every process; waits until all have called it.

    Args:
      text: At most 64 bytes in UTF-8, blanks around it not counted.

    Raises:
      ValueError: If the text is longer.
    """
    data = text.encode()
    if len(data) > _MAX_BYTES:
        raise ValueError(f"Processes agree on at most {_MAX_BYTES} bytes, got {len(data)}.")
    if not os.environ.get("JAX_COORDINATOR_ADDRESS"):
        return text
    import numpy as np
    from jax.experimental import multihost_utils

    own = np.frombuffer(data.ljust(_MAX_BYTES), np.uint8)
    return bytes(multihost_utils.broadcast_one_to_all(own)).decode().strip()
