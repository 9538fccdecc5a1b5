"""Shards of users: which users are in one, and the name of its partition."""

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15


def shard_suffix(shard: int, num_shards: int) -> str:
    """What follows the day in the name of a shard's partition."""
    return f"-{shard:03d}-of-{num_shards:03d}"


def in_shard(user_ids: np.ndarray, shard: int, num_shards: int) -> np.ndarray:
    """`[N]` bool: whether each user belongs to the shard, by a hash of the id alone."""
    bits = user_ids.astype(np.uint64) * np.uint64(_GOLDEN)
    return (bits >> np.uint64(33)) % np.uint64(num_shards) == np.uint64(shard)
