"""Drawings for pages: SVG, the same bytes for the same numbers."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The salt fixes the ids that matplotlib draws at random; text stays text, to be found and copied.
_STYLE: dict[Any, Any] = {"svg.hashsalt": "phoenix", "svg.fonttype": "none", "font.size": 9}
_CURVE_COLOR = "#d97742"
_FEW_POINTS = 20


def learning_curve(curve: Sequence[Mapping[str, float]], title: str) -> bytes:
    """Draws the loss over the steps.

    Args:
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
    return svg(figure)


def calibration(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> bytes:
    """Draws predicted against observed rates on logarithmic axes.

    Args:
      curves: Name of the action -> `predicted`, mean predictions, and `observed`, rates, by bin.
    """
    figure = new_figure(3.6, 3.2)
    axes = figure.add_subplot()
    # A logarithmic axis has no place for 0, so bins without an action are left out.
    parts = [part for curve in curves.values() for part in curve.values()]
    rates = [value for part in parts for value in part if value > 0]
    lowest = min(rates, default=1e-3)
    axes.plot([lowest, 1], [lowest, 1], color="#c4c8ce", lw=1)
    for name, curve in curves.items():
        pairs = zip(curve["predicted"], curve["observed"], strict=True)
        points = [(p, o) for p, o in pairs if p > 0 and o > 0]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", ms=3, lw=1, label=name)
            axes.set_xscale("log")
            axes.set_yscale("log")
    axes.set_xlabel("predicted")
    axes.set_ylabel("observed")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7)
    axes.set_title("calibration of the candidate" if curves else "nothing to calibrate")
    return svg(figure)


def earnings(days: Sequence[Mapping[str, Any]]) -> bytes:
    """Draws what a release earned per impression, day by day, beside what it had foretold.

    Args:
      days: Each with `day`, `mean`, `low` and `high`, its interval or None, and `predicted` or
        None; oldest first.
    """
    figure = new_figure(5.2, 2.6)
    axes = figure.add_subplot()
    places = range(len(days))
    for place, day in zip(places, days, strict=True):
        if day["low"] is not None:
            axes.plot([place, place], [day["low"], day["high"]], color=_CURVE_COLOR, lw=1.5)
    means = [day["mean"] for day in days]
    axes.plot(places, means, marker="o", ms=4, lw=1, color=_CURVE_COLOR, label="earned")
    foretold = [
        (place, day["predicted"])
        for place, day in zip(places, days, strict=True)
        if day["predicted"] is not None
    ]
    if foretold:
        axes.plot(*zip(*foretold, strict=True), marker="_", ms=9, lw=0, color="#5b7fa6")
        axes.lines[-1].set_label("foretold")
    axes.set_xticks(list(places), [day["day"][5:] for day in days])
    axes.margins(x=0.2)
    axes.set_ylabel("per impression")
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)
    return svg(figure)


def new_figure(width: float, height: float, *, is_laid_out: bool = True) -> "Figure":
    """Returns an empty figure of some inches.

    Args:
      width: In inches.
      height: In inches.
      is_laid_out: Whether places for axes are found when it is drawn; else they have theirs.
    """
    # The object interface needs no display and no global state.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained" if is_laid_out else None)


def svg(figure: "Figure") -> bytes:
    """Returns a figure as SVG, without the date and with the same ids in every run."""
    import matplotlib as mpl

    content = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(
            content, format="svg", metadata={"Date": None, "Creator": None}, transparent=True
        )
    return content.getvalue()
