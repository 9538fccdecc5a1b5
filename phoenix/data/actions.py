"""Sets of actions as bits, read by name: lists of actions grow, shrink and change their order.

A set of bits means something together with the list of its time alone. `BitMap` reads the bits of
one list as those of another, and `UnknownActions` says of which actions nobody could know on some
days: they are neither done nor not done, and count nowhere.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phoenix.data import sorted_ids
from phoenix.data.days import DAY_MS


@dataclass(frozen=True)
class BitMap:
    """The way from the bits of one list of actions to those of another, by name."""

    source: tuple[str, ...]  # names in the order of the bits that are read
    target: tuple[str, ...]  # names in the order of the bits that are wanted

    @property
    def is_identity(self) -> bool:
        """Whether both lists are the same, so that bits stay as they are."""
        return self.source == self.target

    @cached_property
    def places(self) -> tuple[int | None, ...]:
        """The bit in the source of each action of the target; None where it has none."""
        bits = {name: bit for bit, name in enumerate(self.source)}
        return tuple(bits.get(name) for name in self.target)

    @property
    def unknown(self) -> np.uint64:
        """The actions of the target that the source does not know, as its bits.

        >>> int(BitMap(("like",), ("hide", "like", "share")).unknown)
        5
        """
        return bit_set([bit for bit, place in enumerate(self.places) if place is None])

    def bits(self, bits: np.ndarray) -> np.ndarray:
        """Returns `[...]` uint64 sets of the source as sets of the target.

        What only the source has is left out, and what it does not know is not set.

        >>> BitMap(("like", "hide"), ("hide", "share", "like")).bits(np.array([1, 2], np.uint64))
        array([4, 1], dtype=uint64)
        """
        if self.is_identity:
            return bits
        result = np.zeros_like(bits)
        for target, place in enumerate(self.places):
            if place is not None:
                result |= ((bits >> np.uint64(place)) & np.uint64(1)) << np.uint64(target)
        return result


@dataclass(frozen=True, eq=False)
class UnknownActions:
    """The actions of which nobody could know on some days, as bits of one list."""

    days: np.ndarray  # [K] int64 days since 1970, ascending, distinct
    bits: np.ndarray  # [K] uint64, bit a = action a
    always: np.uint64  # unknown on every day

    @classmethod
    def of(cls, by_day: Mapping[int, np.uint64], always: np.uint64 | int = 0) -> "UnknownActions":
        """Takes the bits of each day, counted from 1970; of other days, `always` alone counts."""
        days = sorted(by_day)
        bits = np.array([by_day[day] for day in days], np.uint64)
        return cls(np.array(days, np.int64), bits, np.uint64(always))

    @property
    def is_empty(self) -> bool:
        """Whether every action is known on every day."""
        return not self.always and not self.bits.any()

    def at_day(self, day: int) -> np.uint64:
        """Returns what is unknown on a day, counted from 1970."""
        return self.at(np.array([day * DAY_MS]))[0]

    def at(self, times: np.ndarray) -> np.ndarray:
        """Returns `[...]` uint64: what is unknown of impressions shown at `times`, in ms.

        >>> unknown = UnknownActions.of({1: np.uint64(2)}, always=1)
        >>> unknown.at(np.array([0, DAY_MS, 2 * DAY_MS])).tolist()
        [1, 3, 1]
        """
        of_days = sorted_ids.values_at(self.days, self.bits, times // DAY_MS, missing=0)
        return of_days | self.always


def bit_set(bits: Sequence[int]) -> np.uint64:
    """Returns the set of some bits.

    >>> int(bit_set([0, 2]))
    5
    """
    return np.uint64(sum(1 << bit for bit in bits))


def heads_of(own: tuple[str, ...], strangers: Collection[str]) -> tuple[str, ...]:
    """Returns the actions of a model under names that no other list has, where they are strangers.

    Args:
      own: The actions of the model, in its order.
      strangers: Those that share a name with an action of today, and nothing else.

    >>> heads_of(("like", "click"), {"click"})
    ('like', 'click as it was')
    """
    # No action's name has a space, so that nothing is ever found under this one.
    return tuple(f"{name} as it was" if name in strangers else name for name in own)
