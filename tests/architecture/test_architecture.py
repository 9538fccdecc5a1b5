"""The arrows between the layers, and what each layer must stay free of."""

import ast
import sys
from pathlib import Path

import pytest

from components import contract

ROOT = Path(__file__).parents[2]
LAYERS = {
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
    "run": {"store", "settings"},
    "tables": {"settings"},
    "local": {"store", "settings"},
    "release": {"store", "settings"},
    "erasure": {"store", "settings", "tables"},
    "source": {"store", "settings", "run", "tables", "erasure"},
    "rows": {"store", "settings", "run", "tables", "erasure"},
    "features": {"store", "settings", "run", "tables", "erasure", "rows"},
    "quality": {"store", "settings", "drawings", "run", "tables", "features"},
    "training": {"store", "settings", "drawings", "run", "release", "features"},
    "evaluation": {"store", "settings", "run", "tables", "release", "features"},
    "serving": {"store", "settings", "run", "tables", "release", "erasure", "features"},
    "pages": {"store", "settings", "tables", "release", "rows", "quality", "serving"},
    "cli": {
        "store",
        "settings",
        "run",
        "local",
        "release",
        "erasure",
        "source",
        "rows",
        "training",
        "serving",
        "pages",
    },
}  # ROOMS
MAX_LINES = 500


def imported_modules(path: Path) -> set[str]:
    """The absolute names of the modules that a file imports, lazily or not, by name or by text."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}:{node.lineno}: a relative import"
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and _called_name(node) in ("import_module", "__import__"):
            modules |= {item.value for item in node.args[:1] if isinstance(item, ast.Constant)}
    return modules


def _called_name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_imports_only_lower_layers(layer: str) -> None:
    allowed = LAYERS[layer] | {layer}
    for path in (ROOT / layer).rglob("*.py"):
        assert packages(imported_modules(path)) & LAYERS.keys() <= allowed, path


def room_of(module: str) -> str | None:
    """The room of a module of components; None for a module that is in none."""
    parts = module.split(".")
    is_room = parts[0] == "components" and len(parts) > 1 and (ROOT / "/".join(parts[:2])).is_dir()
    return parts[1] if is_room else None


def test_every_room_has_its_place() -> None:
    folders = {path.parent.name for path in (ROOT / "components").glob("*/__init__.py")}
    assert folders == ROOMS.keys()
    for number, (room, lower) in enumerate(ROOMS.items()):
        assert lower <= set(list(ROOMS)[:number]), f"{room} imports a room above it"


def test_rooms_import_only_the_rooms_they_may() -> None:
    for room, lower in ROOMS.items():
        for path in (ROOT / "components" / room).rglob("*.py"):
            ours = {name for name in imported_modules(path) if name.startswith("components.")}
            flat = {name.split(".")[1] for name in ours if room_of(name) is None}
            assert {room_of(name) for name in ours} - {None} <= lower | {room}, path
            steps = {"step", *contract.STEPS} if room == "cli" else set()
            assert flat <= {"contract", "errors"} | steps, path


def test_contract_needs_the_standard_library_alone() -> None:
    modules = imported_modules(ROOT / "components/contract.py")
    assert packages(modules) <= sys.stdlib_module_names


def test_dags_know_the_components_by_their_contract_alone() -> None:
    for path in (ROOT / "dags").rglob("*.py"):
        ours = {name for name in imported_modules(path) if name.startswith("components")}
        foreign = {
            name for name in ours if name.removeprefix("components.").split(".")[0] != "contract"
        }
        assert foreign <= {"components"}, path


def test_steps_never_import_steps() -> None:
    modules = {step.module for step in contract.STEPS.values()}
    for module in modules:
        path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        assert path.exists(), f"{path}: a step without a module"
        assert not imported_modules(path) & (modules - {module}), path


def test_an_import_by_text_is_an_import(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('import importlib\nimportlib.import_module("components.pages.report")\n')
    assert "components.pages.report" in imported_modules(path)


def test_no_module_is_pickled() -> None:
    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*.py"):
            assert not packages(imported_modules(path)) & {"pickle", "joblib", "dill"}, path


def test_modules_are_short_enough_to_read() -> None:
    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES, path
