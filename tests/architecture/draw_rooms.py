"""Draws the house: rooms on floors, and the imports between them, from the code itself.

`python -m tests.architecture.draw_rooms docs/rooms.svg` writes the drawing and prints how many
rooms, arrows, circles and arrows to a higher room there are.
"""

import sys
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from tests.architecture.imports import (
    ROOMS,
    Graph,
    circle,
    module_graph,
    module_paths,
    room_graph,
    room_of,
)

_STYLE = {"svg.hashsalt": "phoenix", "svg.fonttype": "none", "font.size": 9}
_COLORS = {"schemas": "#e5e7eb", "phoenix": "#fde3cf", "components": "#dbe9fb", "dags": "#d7f0dd"}
_WIDTH, _HEIGHT = 1.56, 0.62  # of a box
_SPACE, _GAP = 0.22, 1.0  # between boxes, and from floor to floor


def floors(graph: Graph) -> dict[str, int]:
    """Returns the floor of each place: one above the highest that it imports.

    An entrance, which nothing imports, stands at the top.
    """
    heights: dict[str, int] = {}

    def height(place: str) -> int:
        if place not in heights:
            heights[place] = 1 + max(map(height, graph[place]), default=-1)
        return heights[place]

    top = max(map(height, graph))
    imported = set().union(*graph.values())
    return {
        place: heights[place] if place in imported or not graph[place] else top for place in graph
    }


def direct(graph: Graph) -> Graph:
    """Returns the arrows that no chain of other arrows stands for; the rest would hide them."""

    def below(place: str) -> set[str]:
        return graph[place].union(*(below(each) for each in graph[place]))

    return {
        place: lower - set().union(*(below(each) for each in lower))
        for place, lower in graph.items()
    }


def upward_arrows() -> list[tuple[str, str]]:
    """Returns the imports between rooms of components that the table of rooms does not allow."""
    rooms = {f"components.{room}": lower for room, lower in ROOMS.items()}
    return [
        (room, other)
        for room, others in room_graph().items()
        for other in others
        if room in rooms and other in rooms and other.split(".")[1] not in rooms[room]
    ]


def draw(path: Path, graph: Graph) -> None:
    """Writes the drawing of a graph without circles as SVG: phoenix beside what imports it."""
    models = {place for place in graph if place.startswith("phoenix")}
    halves = [_within(graph, graph.keys() - models), _within(graph, models)]
    sizes = _num_modules(graph)
    with mpl.rc_context(_STYLE):
        places: dict[str, tuple[float, float]] = {}
        for half in halves:
            left = max((x + _WIDTH + 3 * _SPACE for x, _ in places.values()), default=0.0)
            places |= {place: (left + x, y) for place, (x, y) in _places(half).items()}
        width = max(x for x, _ in places.values()) + _WIDTH + 0.1
        height = max(y for _, y in places.values()) + _HEIGHT + 0.1
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(-0.1, width)
        axes.set_ylim(-0.1, height)
        axes.axis("off")
        for half in halves:
            for place, lower in direct(half).items():
                for other in sorted(lower):
                    _draw_arrow(axes, places[place], places[other])
        for place, (x, y) in places.items():
            _draw_box(axes, place, sizes[place], x, y)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _within(graph: Graph, places: Set[str]) -> Graph:
    return {place: lower & places for place, lower in graph.items() if place in places}


def _num_modules(places: Iterable[str]) -> Mapping[str, int]:
    of_modules = [
        room_of(name) for name, path in module_paths().items() if path.name != "__init__.py"
    ]
    return {place: of_modules.count(place) for place in places}


def _places(graph: Graph) -> dict[str, tuple[float, float]]:
    """Returns the lower left corners of the boxes: floors from below, each in the middle."""
    heights = floors(graph)
    rows = [
        [place for place in graph if heights[place] == floor]
        for floor in range(max(heights.values()) + 1)
    ]
    widest = max(map(len, rows))
    return {
        place: ((number + (widest - len(row)) / 2) * (_WIDTH + _SPACE), floor * _GAP)
        for floor, row in enumerate(rows)
        for number, place in enumerate(row)
    }


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        xy=(end[0] + _WIDTH / 2, end[1] + _HEIGHT),
        xytext=(start[0] + _WIDTH / 2, start[1]),
        arrowprops={"arrowstyle": "-|>", "color": "#8b949e", "lw": 0.8, "shrinkA": 0, "shrinkB": 2},
    )


def _draw_box(axes: Axes, place: str, num_modules: int, x: float, y: float) -> None:
    layer = "components" if place == "steps" else place.split(".")[0]
    box = FancyBboxPatch(
        (x, y), _WIDTH, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.08", zorder=4
    )
    box.set_facecolor(_COLORS[layer])
    box.set_edgecolor("#57606a")
    axes.add_patch(box)
    name = place.removeprefix("components.").replace("phoenix.", "phoenix/")
    axes.text(x + _WIDTH / 2, y + 0.38, name, ha="center", va="center", weight="bold", zorder=5)
    unit = "module" if num_modules == 1 else "modules"
    style = {"size": 7, "color": "#57606a", "zorder": 5}
    axes.text(x + _WIDTH / 2, y + 0.16, f"{num_modules} {unit}", ha="center", va="center", **style)


def main(argv: list[str] | None = None) -> int:
    """Draws the rooms and prints the numbers; 1 if there is a circle or an arrow upwards."""
    (target,) = sys.argv[1:] if argv is None else argv
    modules = module_graph()
    # A package is only the door of its room.
    rooms = {place: lower for place, lower in room_graph().items() if _num_modules([place])[place]}
    circles, upward = circle(modules) or circle(rooms), upward_arrows()
    print(  # noqa: T201 - the answer of the command
        f"{len(modules)} modules, {sum(map(len, modules.values()))} imports; {len(rooms)} rooms, "
        f"{sum(map(len, rooms.values()))} arrows\n"
        f"circles: {len(circles) and ' -> '.join(circles)}\n"
        f"imports of a higher room: {len(upward) and upward}"
    )
    if circles:
        return 1
    draw(Path(target), rooms)
    return int(bool(upward))


if __name__ == "__main__":
    sys.exit(main())
