import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.serving.shards import Shard


@given(
    st.lists(st.integers(1, 2**63 - 1), unique=True, max_size=50).map(sorted), st.integers(1, 999)
)
def test_every_user_is_in_exactly_one_shard(users: list[int], num_shards: int) -> None:
    ids = np.array(users, np.int64)
    flags = [shard.holds(ids) for shard in Shard.all_of(num_shards)]
    assert np.sum(flags, axis=0).tolist() == [1] * len(users)


def test_shards_of_consecutive_ids_are_even() -> None:
    sizes = [shard.holds(np.arange(1, 10_001)).sum() for shard in Shard.all_of(4)]
    assert min(sizes) > 2_300


def test_partitions_of_shards_sort_in_order_and_say_of_how_many() -> None:
    suffixes = [shard.suffix for shard in Shard.all_of(12)]
    assert suffixes == sorted(suffixes)
    assert suffixes[0] == "-000-of-012"
