"""Drawings are the same bytes for the same numbers, and survive what days can bring."""

from pathlib import Path

from components.drawings import charts


def _draw(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    curve = [{"step": 1, "loss": 0.9}, {"step": 2, "loss": 0.5}]
    charts.learning_curve(folder / "curve.svg", curve, title="train_ranker of a day")
    panels = {"ndcg@5": {"candidate": 0.5, "random": None}, "recall@9": {}}
    charts.model_bars(folder / "bars.svg", panels)
    charts.calibration(folder / "one.svg", {"click": ([0.1, 0.5], [0.0, 0.4])})
    charts.calibration(folder / "none.svg", {})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_equal_numbers_give_equal_bytes(tmp_path: Path) -> None:
    first, second = _draw(tmp_path / "one"), _draw(tmp_path / "two")
    assert first == second
    assert all(b"<svg" in data for data in first.values())
    assert b"train_ranker of a day" in first["curve.svg"]
