"""Distances over the days with their limits: SVG, the same bytes for the same numbers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.drawings import charts
from phoenix.data.histograms import DISTANCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEASURES = {"psi": "PSI", "jensen_shannon": "Jensen-Shannon", "l_infinity": "L-infinity"}
_LINE, _LIMIT, _ALARM = "#1f6feb", "#8a8f98", "#c62a2f"


def over_time(days: Sequence[tuple[str, Mapping[str, Any]]]) -> bytes:
    """Draws one column per variable and one row per measure.

    Args:
      days: Oldest first: the day, and by the name of a comparison its variable, measure, value
        and limit, as `quality.drift.to_dict` returns them.

    Returns:
      The SVG; at least one day was compared with something.
    """
    variables = sorted({each["variable"] for _, distances in days for each in distances.values()})
    figure = charts.new_figure(1.0 + 1.65 * len(variables), 4.4)
    grid = figure.subplots(len(DISTANCES), len(variables), sharex=True, squeeze=False)
    for row, measure in enumerate(DISTANCES):
        for column, variable in enumerate(variables):
            axes = grid[row][column]
            _draw_curve(axes, [distances.get(f"{variable}/{measure}") for _, distances in days])
            if row == 0:
                axes.set_title(variable.replace("_", " "), fontsize=8)
            if column == 0:
                axes.set_ylabel(_MEASURES[measure], fontsize=8)
            # The first and the last day alone: a column has no room for more.
            ends = sorted({0, len(days) - 1})
            axes.set_xticks(ends, [days[end][0][5:] for end in ends])
    return charts.svg(figure)


def _draw_curve(axes: "Axes", distances: Sequence[Mapping[str, Any] | None]) -> None:
    points = [(place, point) for place, point in enumerate(distances) if point]
    axes.plot(
        [place for place, _ in points],
        [point["value"] for _, point in points],
        color=_LINE,
        lw=1.2,
        marker="o",
        ms=2,
    )
    limits = [(place, point) for place, point in points if point["limit"] is not None]
    axes.plot(
        [place for place, _ in limits],
        [point["limit"] for _, point in limits],
        color=_LIMIT,
        lw=1,
        ls="--",
        marker="_",
        ms=3,
    )
    alarms = [(place, point) for place, point in limits if point["value"] > point["limit"]]
    axes.plot(
        [place for place, _ in alarms],
        [point["value"] for _, point in alarms],
        color=_ALARM,
        ls="",
        marker="o",
        ms=5,
    )
    # A limit that little history makes generous would flatten the curve that one wants to see.
    highest = max((point["value"] for _, point in points), default=0.0)
    lowest_limit = min((point["limit"] for _, point in limits), default=0.0)
    axes.set_ylim(0, 1.15 * max(highest, min(lowest_limit, 3 * highest)) or 1.0)
    axes.set_xlim(-0.5, max(len(distances) - 0.5, 0.5))
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.25)
