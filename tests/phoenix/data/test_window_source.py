import numpy as np
import pytest

from phoenix.data.window_source import (
    InMemoryWindows,
    SelectedWindows,
    pad_windows,
    windows_between,
)
from tests.phoenix.planted import world

WINDOWS = world(10).windows


def test_parts_of_a_range_are_its_windows_in_order():
    class Chunks(InMemoryWindows):
        chunk_sizes = (4, 0, 6)

        def read(self, chunk):
            return WINDOWS.rows([slice(0, 4), slice(0, 0), slice(4, 10)][chunk])

    for start, stop in ((0, 10), (2, 7), (4, 4), (5, 10)):
        parts = list(windows_between(Chunks(WINDOWS), start, stop, limit=2))
        assert all(0 < len(part.user_ids) <= 2 for part in parts)
        users = [user for part in parts for user in part.user_ids]
        assert users == WINDOWS.user_ids[start:stop].tolist()


def test_padding_adds_windows_about_nobody():
    unknown = np.ones_like(WINDOWS.labels)
    windows = WINDOWS._replace(
        label_unknown_actions=unknown,
        history_unknown_actions=np.ones_like(WINDOWS.history_actions),
        label_weights=np.ones(unknown.shape, np.float32),
        history_weights=np.ones(WINDOWS.history_actions.shape, np.float32),
    )
    result = pad_windows(windows, 13)
    assert result.optional_fields == windows.optional_fields
    for field, array in result._asdict().items():
        if array is None:
            continue
        np.testing.assert_array_equal(array[:10], getattr(windows, field))
        assert not array[10:].any()
        assert array.dtype == getattr(windows, field).dtype
    assert pad_windows(WINDOWS, 10) is WINDOWS
    with pytest.raises(ValueError, match="at most 9 windows, got 10"):
        pad_windows(WINDOWS, 9)


def test_a_selection_has_its_rows_and_ends_histories_where_it_is_told_to():
    times = np.arange(WINDOWS.history_post_ids.shape[1]) * np.ones((10, 1), np.int64) + 1
    windows = WINDOWS._replace(
        history_shown_at=times * (WINDOWS.history_post_ids != 0),
        history_weights=(WINDOWS.history_post_ids != 0).astype(np.float32),
    )
    rows = np.array([0, 3, 7])
    part = SelectedWindows(InMemoryWindows(windows), [rows], before=3)
    assert part.chunk_sizes == [3]
    selected, expected = part.read(0), windows.rows(rows)
    for name, array in selected._asdict().items():
        whole = getattr(expected, name)
        if array is not None and name.startswith("history_"):
            np.testing.assert_array_equal(array[:, :2], whole[:, :2], name)
            assert not array[:, 2:].any(), name
        else:
            np.testing.assert_array_equal(array, whole, name)


def test_events_of_which_the_order_alone_is_known_stay_in_histories():
    windows = WINDOWS._replace(history_shown_at=np.zeros_like(WINDOWS.history_shown_at))
    part = SelectedWindows(InMemoryWindows(windows), [np.arange(10)], before=0)
    np.testing.assert_array_equal(part.read(0).history_post_ids, windows.history_post_ids)
