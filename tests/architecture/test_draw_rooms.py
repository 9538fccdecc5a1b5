"""The drawing of the rooms is that of the code, and its command finds what must not be."""

from pathlib import Path

import pytest

from tests.architecture import draw_rooms, imports

GRAPH = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "entrance": {"c"}}


def test_a_place_stands_above_all_that_it_imports_and_an_entrance_at_the_top() -> None:
    assert draw_rooms.floors(GRAPH) == {"c": 0, "b": 1, "a": 2, "entrance": 2}


def test_an_arrow_that_others_stand_for_is_left_out() -> None:
    assert draw_rooms.direct(GRAPH)["a"] == {"b"}


def test_the_drawing_in_the_documents_is_that_of_the_code(tmp_path: Path) -> None:
    assert draw_rooms.main([str(tmp_path / "rooms.svg")]) == 0
    drawing = (imports.ROOT / "docs/rooms.svg").read_bytes()
    assert (tmp_path / "rooms.svg").read_bytes() == drawing, "run `make rooms`"


def test_a_circle_and_an_arrow_upwards_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = dict(imports.module_graph())
    low, high = "components.store.storage", "components.pages.report"
    graph[low] = graph[low] | {high}
    monkeypatch.setattr(imports, "module_graph", lambda: graph)
    monkeypatch.setattr(draw_rooms, "module_graph", lambda: graph)
    assert draw_rooms.main([str(tmp_path / "rooms.svg")]) == 1
    told = capsys.readouterr().out
    assert "components.pages" in told.splitlines()[1], "the circle"
    assert "('components.store', 'components.pages')" in told.splitlines()[2]
