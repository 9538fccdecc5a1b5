import numpy as np
import pytest

from phoenix.data.window_source import InMemoryWindows, pad_windows, windows_between
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
    for field, array in result._asdict().items():
        np.testing.assert_array_equal(array[:10], getattr(windows, field))
        assert not array[10:].any()
        assert array.dtype == getattr(windows, field).dtype
    assert pad_windows(WINDOWS, 10) is WINDOWS
    with pytest.raises(ValueError, match="at most 9 windows, got 10"):
        pad_windows(WINDOWS, 9)
