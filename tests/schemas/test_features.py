from phoenix.data.histories import Log
from phoenix.data.window_log import WindowRefs
from schemas.events import EVENTS
from schemas.features import IMPRESSIONS, WINDOWS


def test_impressions_are_events_with_their_window() -> None:
    assert IMPRESSIONS.names == [*EVENTS.names[1:], "created_at", "window"]
    # Attributes are columns of their own, which the configuration declares; weights are optional.
    assert [column.name for column in IMPRESSIONS.optional] == ["weight"]
    assert len(IMPRESSIONS.names) == len(set(Log._fields) - {"attributes", "weights"}) + 1
    for column in EVENTS.columns[1:]:
        assert IMPRESSIONS[column.name] is column


def test_windows_say_whose_they_are_and_what_was_known() -> None:
    assert WINDOWS.names == ["window_id", "user_id", "starts_at", "known_until"]
    # Attributes are columns of their own, which the configuration declares.
    assert set(WindowRefs._fields) == {"user_ids", *WINDOWS.names[2:], "attributes"}
