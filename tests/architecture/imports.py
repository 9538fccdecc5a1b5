"""The imports of the project as a graph, read from its code, and the rooms that they may join."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from components import contract
from components.run.imports import imported_modules

ROOT = Path(__file__).parents[2]
# The layers, lowest first, and those that each may import.
LAYERS: dict[str, set[str]] = {
    "schemas": set(),
    "phoenix": set(),
    "components": {"phoenix", "schemas"},
    "dags": {"components"},
}
# The rooms of components, lowest first, and those that each may import; `contract` and `errors` are
# open to all, `cli` runs steps, and steps import every room but `cli` and `local`.
ROOMS: dict[str, set[str]] = {
    "store": set(),
    "settings": set(),
    "drawings": set(),
    "run": {"store", "settings", "drawings"},
    "tables": {"settings"},
    "local": {"store", "settings"},
    "release": {"store", "settings"},
    "erasure": {"store", "settings", "tables", "release"},
    "source": {"store", "settings", "run", "tables", "erasure"},
    "profiling": {"settings", "tables", "source"},
    "rows": {"store", "settings", "run", "tables", "erasure"},
    "features": {"store", "settings", "run", "tables", "erasure", "rows"},
    "quality": {"store", "settings", "run", "tables", "features"},
    "training": {"store", "settings", "run", "tables", "release", "features"},
    "evaluation": {"store", "settings", "run", "tables", "release", "erasure", "features"},
    "tuning": {
        *("store", "settings", "run", "release", "erasure", "features", "training", "evaluation")
    },
    "serving": {"store", "settings", "run", "tables", "release", "erasure", "features"},
    "earnings": {
        *("store", "settings", "run", "tables", "release", "erasure", "features", "serving")
    },
    "pages": {
        *("store", "settings", "drawings", "run", "tables", "release", "rows", "quality"),
        *("serving", "earnings"),
    },
    "api": {"store", "settings", "tables", "release", "serving"},
    "cli": {
        *("store", "settings", "run", "local", "release", "erasure", "api"),
        *("source", "profiling", "rows", "training", "tuning", "serving", "earnings", "pages"),
    },
}
# The rooms of phoenix in the same way. What stands at its root is the ground, the trunk `grok`, the
# public models, or the public runners.
PHOENIX: dict[str, set[str]] = {
    "ground": set(),
    "files": set(),
    "data": {"ground"},
    "metrics": {"data"},
    "search": {"ground", "data"},
    "nn": {"ground", "data"},
    "grok": {"ground", "nn"},
    "inputs": {"ground", "data", "nn", "grok"},
    "models": {"ground", "data", "search", "nn", "grok", "inputs"},
    "inference": {"ground", "data", "search", "grok", "inputs", "models"},
    "runners": {"ground", "search", "grok", "inputs", "models", "inference"},
    "recommend": {"ground", "files", "data", "metrics", "search", "inputs", "models", "inference"},
    "train": {"ground", "files", "data", "metrics", "nn", "inputs", "models", "recommend"},
}
_ROOT_PLACES = {
    **dict.fromkeys(("buckets", "config", "memory", "settings"), "ground"),
    "grok": "grok",
    **dict.fromkeys(("runners", "run_ranker", "run_retrieval"), "runners"),
}

Graph = Mapping[str, set[str]]


def module_paths() -> dict[str, Path]:
    """Every module of the layers by its dotted name; a package by its folder."""
    paths = {}
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            stem = path.parent if path.name == "__init__.py" else path.with_suffix("")
            paths[".".join(stem.relative_to(ROOT).parts)] = path
    return paths


def module_graph() -> Graph:
    """The modules of ours that each module imports, less packages that are passed through."""
    paths = module_paths()
    packages = {name for name, path in paths.items() if path.name == "__init__.py"}
    return {
        name: (imported_modules(path) & (paths.keys() - packages)) - {name}
        for name, path in paths.items()
    }


def room_of(module: str) -> str:
    """The place of a module in the house: its room, its layer, or what it is among the steps."""
    layer, *rest = module.split(".")
    if layer == "phoenix" and len(rest) == 1 and not (ROOT / layer / rest[0]).is_dir():
        return f"phoenix.{_ROOT_PLACES.get(rest[0], 'models')}"
    if layer in ("components", "phoenix") and len(rest) > 1:
        return f"{layer}.{rest[0]}"
    if layer == "components" and rest and rest[0] in contract.STEPS:
        return "steps"
    return f"{layer}.{rest[0]}" if layer == "components" and rest else layer


def room_graph() -> Graph:
    """The places that each place imports."""
    graph: dict[str, set[str]] = {}
    for module, imports in module_graph().items():
        place = room_of(module)
        graph.setdefault(place, set()).update({room_of(each) for each in imports} - {place})
    return graph


def circle(graph: Graph) -> list[str]:
    """A circle of imports, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []
