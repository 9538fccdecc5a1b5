"""Drawings are the same bytes for the same numbers, and survive what days can bring."""

from components.drawings import charts

CURVE = [{"step": 1, "loss": 0.9}, {"step": 2, "loss": 0.5}]
CALIBRATION = {"click": {"predicted": [0.1, 0.5], "observed": [0.0, 0.4]}}


def _draw() -> list[bytes]:
    return [
        charts.learning_curve(CURVE, "train_ranker of a day"),
        charts.calibration(CALIBRATION),
        charts.calibration({}),
    ]


def test_equal_numbers_give_equal_bytes() -> None:
    drawings = _draw()
    assert drawings == _draw()
    assert all(b"<svg" in drawing for drawing in drawings)
    assert b"train_ranker of a day" in drawings[0]
