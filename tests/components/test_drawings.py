import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from components import drawings

CURVE = [{"step": 10 * n, "loss": 1 / n} for n in range(1, 6)]
DRAWINGS: dict[str, Callable[[Path], None]] = {
    "learning_curve": lambda path: drawings.learning_curve(path, CURVE, title="loss"),
    "one_point": lambda path: drawings.learning_curve(path, CURVE[:1], title="loss"),
    "model_bars": lambda path: drawings.model_bars(
        path, {"ndcg@5": {"candidate": 0.5, "most_popular": 0.4, "random": None}}
    ),
    "calibration": lambda path: drawings.calibration(
        path, {"click": ([0.1, 0.2], [0.1, 0.3]), "none": ([0.0], [0.0])}
    ),
    "nothing": lambda path: drawings.calibration(path, {}),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_numbers_give_the_same_bytes_and_valid_svg(name: str, tmp_path: Path) -> None:
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    DRAWINGS[name](first)
    DRAWINGS[name](second)
    assert first.read_bytes() == second.read_bytes()
    assert ET.parse(first).getroot().tag.endswith("svg")


def test_a_drawing_has_no_background_and_no_date(tmp_path: Path) -> None:
    path = tmp_path / "curve.svg"
    DRAWINGS["learning_curve"](path)
    text = path.read_text()
    assert "fill: #ffffff" not in text
    assert "<dc:date>" not in text


def test_a_single_point_can_be_seen(tmp_path: Path) -> None:
    one, none = tmp_path / "1.svg", tmp_path / "0.svg"
    drawings.learning_curve(one, CURVE[:1], title="loss")
    drawings.learning_curve(none, [], title="loss")
    color = "#d97742"
    assert one.read_text().count(f"fill: {color}") > none.read_text().count(f"fill: {color}")
