"""Distances over the days with their limits: SVG, the same bytes for the same numbers.

A day has three drawings of some forty small charts each. Axes of matplotlib cost ten times what is
in them, so that a row of charts is one axes, and a chart a stretch of it with a scale of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from components.drawings import charts
from phoenix.data.histograms import DISTANCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEASURES = {"psi": "PSI", "jensen_shannon": "Jensen-Shannon", "l_infinity": "L-infinity"}
_LINE, _LIMIT, _ALARM, _GRID = "#1f6feb", "#8a8f98", "#c62a2f", "#c4c8ce"
_CHART_WIDTH, _ROW_HEIGHT = 1.65, 1.2  # inches
_LEFT, _BOTTOM, _TOP = 0.65, 0.3, 0.3  # inches beside, below and above all charts
_SHARE = 0.72  # of the place of a chart that it takes; the rest is for the numbers of its scale


class _Chart(NamedTuple):
    """The distances of one variable by one measure."""

    place: int  # in its row
    num_days: int
    points: Sequence[tuple[int, Mapping[str, Any]]]  # number of the day, its distance

    @property
    def top(self) -> float:
        """The end of the scale: a round number above the curve, and above a limit near it."""
        values = [point["value"] for _, point in self.points]
        limits = [point["limit"] for _, point in self.points if point["limit"] is not None]
        highest = max(values, default=0.0)
        # A limit that little history makes generous would flatten the curve that one wants to see.
        least = 1.05 * max(highest, min(min(limits, default=0.0), 3 * highest)) or 1.0
        step = 10.0 ** np.floor(np.log10(least))
        return next(
            float(times * step)
            for times in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10)
            if times * step >= least
        )

    def x(self, day: float) -> float:
        """The place of a day in the row."""
        return self.place + _SHARE * (day + 0.5) / self.num_days

    def line(self, name: str, *, only_alarms: bool = False) -> np.ndarray:
        """`[P + 1, 2]` places of a number in the row; the last is no place, to end the line."""
        drawn = [
            # A limit beyond the scale is drawn at its end.
            (self.x(day), min(point[name] / self.top, 1.0))
            for day, point in self.points
            if point[name] is not None
            and not (only_alarms and (point["limit"] is None or point["value"] <= point["limit"]))
        ]
        return np.array([*drawn, (np.nan, np.nan)])


def over_time(days: Sequence[tuple[str, Mapping[str, Any]]]) -> bytes:
    """Draws one column per variable and one row per measure.

    Args:
      days: Oldest first: the day, and by the name of a comparison its variable, measure, value
        and limit, as `quality.drift.to_dict` returns them.

    Returns:
      The SVG; at least one day was compared with something.
    """
    variables = sorted({each["variable"] for _, distances in days for each in distances.values()})
    width = _LEFT + _CHART_WIDTH * len(variables)
    height = _BOTTOM + _ROW_HEIGHT * len(DISTANCES) + _TOP
    figure = charts.new_figure(width, height, is_laid_out=False)
    for row, measure in enumerate(DISTANCES):
        bottom = _BOTTOM + _ROW_HEIGHT * (len(DISTANCES) - 1 - row)
        box = (_LEFT / width, bottom / height, 1 - _LEFT / width, _ROW_HEIGHT * 0.85 / height)
        axes = figure.add_axes(box)
        row_charts = list(_charts(days, variables, measure))
        _draw_row(axes, row_charts)
        axes.text(-0.3, 0.5, _MEASURES[measure], fontsize=8, rotation=90, va="center", ha="center")
        for chart, variable in zip(row_charts, variables, strict=True):
            if row == 0:
                middle = chart.x((len(days) - 1) / 2)
                axes.text(middle, 1.08, variable.replace("_", " "), fontsize=8, ha="center")
            if row == len(DISTANCES) - 1:
                # The first and the last day alone: a column has no room for more.
                for day in sorted({0, len(days) - 1}):
                    axes.text(chart.x(day), -0.14, days[day][0][5:], fontsize=6, ha="center")
    return charts.svg(figure)


def _charts(
    days: Sequence[tuple[str, Mapping[str, Any]]], variables: Sequence[str], measure: str
) -> Iterator[_Chart]:
    for place, variable in enumerate(variables):
        found = [distances.get(f"{variable}/{measure}") for _, distances in days]
        yield _Chart(place, len(days), [(day, each) for day, each in enumerate(found) if each])


def _draw_row(axes: "Axes", row: Sequence[_Chart]) -> None:
    axes.set_axis_off()
    axes.set_xlim(-0.05, len(row))
    axes.set_ylim(0, 1)
    for height in (0.0, 0.5, 1.0):
        for chart in row:
            number = f"{height * chart.top:.2g}"
            axes.text(chart.place - 0.03, height, number, fontsize=6, ha="right", va="center")
    ends = [(chart.place, chart.place + _SHARE, np.nan) for chart in row]
    for height in (0.0, 0.5, 1.0):
        level = np.full(3 * len(row), height)
        axes.plot(np.ravel(ends), level, color=_GRID, lw=0.6, clip_on=False)
    _plot(axes, [chart.line("value") for chart in row], color=_LINE, lw=1.2, marker="o", ms=2)
    _plot(
        axes, [chart.line("limit") for chart in row], color=_LIMIT, lw=1, ls="--", marker="_", ms=3
    )
    alarms = [chart.line("value", only_alarms=True) for chart in row]
    _plot(axes, alarms, color=_ALARM, ls="", marker="o", ms=5)


def _plot(axes: "Axes", lines: Sequence[np.ndarray], **style: Any) -> None:  # noqa: ANN401 - any
    places = np.concatenate(lines)
    axes.plot(places[:, 0], places[:, 1], clip_on=False, **style)
