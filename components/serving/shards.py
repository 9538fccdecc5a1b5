"""Shards of users: which users are in one, and the name of its partition."""

from dataclasses import dataclass

import numpy as np

from phoenix.data.hashing import GOLDEN


@dataclass(frozen=True)
class Shard:
    """One of the parts into which the users of a day are cut.

    >>> Shard(index=1, count=4).suffix
    '-001-of-004'
    """

    index: int  # from 0
    count: int

    @classmethod
    def all_of(cls, count: int) -> list["Shard"]:
        """Returns the shards of a day that is cut into `count`."""
        return [cls(index, count) for index in range(count)]

    @property
    def suffix(self) -> str:
        """The end of the name of the shard's partition, after the day."""
        return f"-{self.index:03d}-of-{self.count:03d}"

    def holds(self, user_ids: np.ndarray) -> np.ndarray:
        """`[N]` bool: whether each user belongs to the shard.

        It depends on a hash of the id alone, so a user stays in a shard whoever else is active.

        Args:
          user_ids: `[N]` int64.
        """
        bits = user_ids.astype(np.uint64) * GOLDEN
        # The upper bits: the lower ones of a product depend on the lower ones of the id alone.
        return (bits >> np.uint64(33)) % np.uint64(self.count) == np.uint64(self.index)
