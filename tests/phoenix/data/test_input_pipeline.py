"""Batches hold every window once, in an order that seed and epoch alone decide."""

import dataclasses
import itertools

import numpy as np
import pytest

from phoenix.data.days import DAY_MS
from phoenix.data.input_pipeline import BatchOrder, Epochs, Prefetched
from phoenix.data.window_source import InMemoryWindows
from tests.phoenix.planted import world

NUM_WINDOWS = 100
WINDOWS = world(NUM_WINDOWS).windows._replace(user_ids=np.arange(1, NUM_WINDOWS + 1))
GOLDEN_ORDER = [0, 5, 4, 1, 2, 6, 3, 7]
CUTS = [0, 10, 10, 45, 70, NUM_WINDOWS]


class Chunks:
    """The windows in five chunks, one of them empty; knows what was read."""

    chunk_sizes = tuple(np.diff(CUTS).tolist())

    def __init__(self):
        self.read_chunks = []

    def read(self, chunk):
        self.read_chunks.append(chunk)
        return WINDOWS.rows(slice(CUTS[chunk], CUTS[chunk + 1]))


def order_of(source, num_windows=NUM_WINDOWS, **options):
    defaults = {"seed": 3, "batch_size": 8, "shuffle_windows": 40}
    return BatchOrder.of(source, num_windows, **{**defaults, **options})


def users(batches):
    return [batch.windows.user_ids.tolist() for batch in batches]


@pytest.mark.parametrize("buckets", [(), (2, 4)])
@pytest.mark.parametrize("num_windows", [NUM_WINDOWS, 61])
def test_every_window_is_in_one_batch_of_each_epoch(num_windows, buckets):
    source = Chunks()
    order = order_of(source, num_windows, length_buckets=buckets)
    epochs = [users(order.batches(source, epoch)) for epoch in (0, 1)]
    for epoch, batches in enumerate(epochs):
        assert len(batches) == order.num_batches(epoch)
        assert sorted(itertools.chain(*batches)) == list(range(1, num_windows + 1))
    assert epochs[0] != epochs[1]
    assert users(order.batches(Chunks(), 0)) == epochs[0]


@pytest.mark.parametrize("buckets", [(), (3,)])
def test_a_cursor_continues_with_the_very_next_batch_and_reads_nothing_before_it(buckets):
    order = order_of(Chunks(), length_buckets=buckets)
    whole = users(order.batches(Chunks(), 2))
    for first in range(len(whole) + 1):
        assert users(order.batches(Chunks(), 2, first)) == whole[first:]
    source = Chunks()
    list(order.batches(source, 2, len(whole) - 1))
    assert source.read_chunks == order.groups(2)[-1].tolist()


@pytest.mark.parametrize("buckets", [(), (3,)])
def test_a_batch_by_day_has_windows_of_one_day_but_at_borders(buckets):
    starts = np.arange(NUM_WINDOWS) % 3 * DAY_MS + np.arange(NUM_WINDOWS)
    source = InMemoryWindows(WINDOWS._replace(starts_at=starts))
    order = order_of(source, shuffle_windows=NUM_WINDOWS, length_buckets=buckets)
    order = dataclasses.replace(order, is_by_day=True)
    epochs = [list(order.batches(source, epoch)) for epoch in (0, 1)]
    days = [[set(batch.windows.starts_at // DAY_MS) for batch in each] for each in epochs]
    for own, batches in zip(days, epochs, strict=True):
        assert len(own) == order.num_batches(0)
        assert sorted(itertools.chain(*users(batches))) == list(range(1, NUM_WINDOWS + 1))
        assert sum(len(each) > 1 for each in own) <= 2 * len(order.lengths)
    assert users(epochs[0]) != users(epochs[1])
    # Not a day after the other, either.
    assert days[0] != sorted(days[0], key=min)


def test_steps_are_counted_through_all_epochs():
    order = order_of(Chunks())
    epochs = Epochs.of(order, 3)
    assert epochs.num_steps == sum(order.num_batches(epoch) for epoch in range(3))
    ends = [step for step in range(1, epochs.num_steps + 1) if epochs.is_end(step)]
    assert ends == epochs.ends.tolist()
    assert [epochs.epoch_of(step) for step in ends] == [0, 1, 2]
    assert [epochs.epoch_of(step + 1) for step in ends[:2]] == [1, 2]
    assert epochs.epoch_of(0) == 0


@pytest.mark.parametrize("distance", [-1, 0, 1])
def test_a_run_goes_on_before_at_and_after_the_end_of_an_epoch(distance):
    epochs = Epochs.of(order_of(Chunks()), 2)
    step = int(epochs.ends[0]) + distance
    numbers, batches = zip(*epochs.batches(Chunks(), 0), strict=True)
    later_numbers, later = zip(*epochs.batches(Chunks(), step), strict=True)
    assert numbers == tuple(range(epochs.num_steps))
    assert later_numbers == numbers[step:]
    assert users(later) == users(batches)[step:]
    assert list(epochs.batches(Chunks(), epochs.num_steps)) == []


def test_windows_of_different_files_meet_in_a_batch_and_files_change_their_order():
    order = order_of(Chunks(), shuffle_windows=60)
    batches = users(order.batches(Chunks(), 0))
    files = [{int(np.searchsorted(CUTS, user)) for user in batch} for batch in batches]
    assert max(map(len, files)) > 1
    assert len({tuple(order.groups(epoch)[0]) for epoch in range(20)}) > 3


def test_no_more_than_a_group_is_read_ahead():
    source = Chunks()
    order = order_of(source, shuffle_windows=20)
    batches = order.batches(source, 0)
    next(batches)
    assert source.read_chunks == order.groups(0)[0].tolist()
    assert len(source.read_chunks) < len(Chunks.chunk_sizes) - 1


def test_order_of_what_fits_is_the_same_on_every_machine():
    source = InMemoryWindows(WINDOWS.rows(slice(0, 8)))
    (batch,) = order_of(source, 8, seed=1).batches(source, 0)
    assert (batch.windows.user_ids - 1).tolist() == GOLDEN_ORDER


def test_batches_by_length_cut_nothing_but_padding_and_cost_the_same():
    source = Chunks()
    order = order_of(source, length_buckets=(2, 3))
    assert (order.lengths, order.batch_sizes) == ([2, 3, 6], [24, 16, 8])
    for batch in order.batches(source, 0):
        length = batch.windows.history_post_ids.shape[1]
        assert batch.num_rows * length == 48
        assert len(batch.windows.user_ids) <= batch.num_rows
        whole = WINDOWS.rows(batch.windows.user_ids - 1)
        assert not whole.history_post_ids[:, length:].any()
        np.testing.assert_array_equal(
            whole.history_post_hashes[:, :length], batch.windows.history_post_hashes
        )


def test_prefetching_changes_no_item_and_passes_errors_on():
    with Prefetched(iter(range(50)), 3) as items:
        assert list(items) == list(range(50))

    def broken():
        yield 1
        raise OSError("gone")

    with Prefetched(broken(), 2) as items:
        assert next(items) == 1
        for _ in range(2):
            with pytest.raises(OSError, match="gone"):
                next(items)


def test_closing_ends_an_endless_supply():
    with Prefetched(itertools.count(), 2) as items:
        assert next(items) == 0
    assert not items._thread.is_alive()
