"""Bits of one list of actions as those of another: by name, whatever happened to the list."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from phoenix.data.actions import BitMap, UnknownActions, bit_set
from phoenix.data.days import DAY_MS

names = st.lists(st.sampled_from([f"action_{n}" for n in range(70)]), unique=True, max_size=64)


@given(source=names, target=names, data=st.data())
def test_bits_are_read_by_name_as_sets_of_names_are(source, target, data) -> None:
    done = data.draw(st.lists(st.sampled_from(source), unique=True) if source else st.just([]))
    bits = np.array([bit_set([source.index(name) for name in done])])
    way = BitMap(tuple(source), tuple(target))
    read = int(way.bits(bits)[0])
    assert {name for bit, name in enumerate(target) if read >> bit & 1} == set(done) & set(target)
    unknown = {name for bit, name in enumerate(target) if int(way.unknown) >> bit & 1}
    assert unknown == set(target) - set(source)


@given(source=names, data=st.data())
def test_another_order_loses_nothing(source, data) -> None:
    other = data.draw(st.permutations(source))
    bits = np.array(data.draw(st.lists(st.integers(0, 2 ** len(source) - 1))), np.uint64)
    there, back = BitMap(tuple(source), tuple(other)), BitMap(tuple(other), tuple(source))
    np.testing.assert_array_equal(back.bits(there.bits(bits)), bits)


def test_bits_of_the_same_list_are_not_even_copied() -> None:
    bits = np.array([1, 2], np.uint64)
    assert BitMap(("a", "b"), ("a", "b")).bits(bits) is bits


def test_an_action_is_unknown_on_the_days_that_say_so() -> None:
    unknown = UnknownActions.of({7: np.uint64(1), 5: np.uint64(2)})
    times = np.array([[5 * DAY_MS, 6 * DAY_MS], [8 * DAY_MS - 1, 8 * DAY_MS]])
    assert unknown.at(times).tolist() == [[2, 0], [1, 0]]
    assert not unknown.is_empty
    assert UnknownActions.of({3: np.uint64(0)}).is_empty
