import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.serving import shards


@given(
    st.lists(st.integers(1, 2**63 - 1), unique=True, max_size=50).map(sorted), st.integers(1, 999)
)
def test_every_user_is_in_exactly_one_shard(users: list[int], num_shards: int) -> None:
    ids = np.array(users, np.int64)
    found = [shards.in_shard(ids, shard, num_shards) for shard in range(num_shards)]
    assert np.sum(found, axis=0).tolist() == [1] * len(users)


def test_shards_of_consecutive_ids_are_even() -> None:
    sizes = [shards.in_shard(np.arange(1, 10_001), shard, 4).sum() for shard in range(4)]
    assert min(sizes) > 2_300
