"""Drawings for artifacts and pages: SVG, the same bytes for the same numbers."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The salt fixes the ids that matplotlib draws at random; text stays text, to be found and copied.
_STYLE: dict[Any, Any] = {"svg.hashsalt": "phoenix", "svg.fonttype": "none", "font.size": 9}
_COLORS = {
    "candidate": "#1f6feb",
    "champion": "#d97706",
    "most_popular": "#6b7280",
    "random": "#c4c8ce",
}
_CURVE_COLOR = "#d97742"
_FEW_POINTS = 20


def learning_curve(path: Path, curve: Sequence[Mapping[str, float]], *, title: str) -> None:
    """Draws the loss over the steps.

    Args:
      path: The SVG file.
      curve: Points with `step` and `loss`.
      title: Of the drawing.
    """
    figure = new_figure(5.2, 2.6)
    axes = figure.add_subplot()
    steps, losses = [point["step"] for point in curve], [point["loss"] for point in curve]
    is_short = len(curve) < _FEW_POINTS  # a single point has no line
    axes.plot(steps, losses, lw=1.5, color=_CURVE_COLOR, marker="o" if is_short else None, ms=3)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    path.write_bytes(svg(figure))


def model_bars(path: Path, panels: Mapping[str, Mapping[str, float | None]]) -> None:
    """Draws one panel per metric with one bar per model.

    Args:
      path: The SVG file.
      panels: Title of the metric -> name of the model -> value; None is left out.
    """
    figure = new_figure(2.6 * max(1, len(panels)), 2.6)
    for number, (title, values) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number)
        bars = {name: value for name, value in values.items() if value is not None}
        colors = [_COLORS.get(name, "#1f6feb") for name in bars]
        axes.bar(range(len(bars)), list(bars.values()), color=colors)
        axes.set_xticks(range(len(bars)), [name.replace("_", "\n") for name in bars])
        axes.set_title(title)
    path.write_bytes(svg(figure))


def calibration(path: Path, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> None:
    """Draws predicted against observed rates on logarithmic axes.

    Args:
      path: The SVG file.
      curves: Name of the action -> mean prediction and observed rate, bin by bin.
    """
    figure = new_figure(3.6, 3.2)
    axes = figure.add_subplot()
    # A logarithmic axis has no place for 0, so bins without an action are left out.
    rates = [value for pair in curves.values() for part in pair for value in part if value > 0]
    lowest = min(rates, default=1e-3)
    axes.plot([lowest, 1], [lowest, 1], color="#c4c8ce", lw=1)
    for name, (predicted, observed) in curves.items():
        points = [(p, o) for p, o in zip(predicted, observed, strict=True) if p > 0 and o > 0]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", ms=3, lw=1, label=name)
            axes.set_xscale("log")
            axes.set_yscale("log")
    axes.set_xlabel("predicted")
    axes.set_ylabel("observed")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7)
    axes.set_title("calibration of the candidate" if curves else "nothing to calibrate")
    path.write_bytes(svg(figure))


def new_figure(width: float, height: float) -> "Figure":
    """Returns an empty figure of some inches."""
    # The object interface needs no display and no global state.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def svg(figure: "Figure") -> bytes:
    """Returns a figure as SVG, without the date and with the same ids in every run."""
    import matplotlib as mpl

    content = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(
            content, format="svg", metadata={"Date": None, "Creator": None}, transparent=True
        )
    return content.getvalue()
