"""The arrows between the layers, and what each layer must stay free of."""

import os
import subprocess
import sys

import pytest

from components import contract
from components.run.imports import imported_modules
from tests.architecture.imports import (
    LAYERS,
    PHOENIX,
    ROOMS,
    ROOT,
    circle,
    module_graph,
    module_paths,
    room_graph,
)

OPEN = {"components.contract", "components.errors"}  # to every room
MAX_LINES = 500
MAX_MODULES = 16  # of a folder


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_imports_only_lower_layers(layer: str) -> None:
    allowed = LAYERS[layer] | {layer}
    for path in (ROOT / layer).rglob("*.py"):
        assert packages(imported_modules(path)) & LAYERS.keys() <= allowed, path


def test_every_room_has_its_place() -> None:
    folders = {path.parent.name for path in (ROOT / "components").glob("*/__init__.py")}
    assert folders == ROOMS.keys()
    for number, (room, lower) in enumerate(ROOMS.items()):
        assert lower <= set(list(ROOMS)[:number]), f"{room} imports a room above it"


def test_rooms_import_only_the_rooms_they_may() -> None:
    graph = room_graph()
    for room, lower in ROOMS.items():
        steps = {"steps", "components.step"} if room == "cli" else set()
        allowed = {f"components.{each}" for each in lower} | steps | OPEN
        ours = {each for each in graph[f"components.{room}"] if not each.startswith("phoenix")}
        assert ours - {"schemas"} <= allowed, room


def test_rooms_of_phoenix_import_only_the_rooms_they_may() -> None:
    graph = room_graph()
    for number, (room, lower) in enumerate(PHOENIX.items()):
        assert lower <= set(list(PHOENIX)[:number]), f"{room} imports a room above it"
        assert graph[f"phoenix.{room}"] <= {f"phoenix.{each}" for each in lower}, room
    assert {name for name in graph if name.startswith("phoenix.")} == {
        f"phoenix.{room}" for room in PHOENIX
    }


def test_data_are_read_without_jax() -> None:
    code = """
import pkgutil, sys
import phoenix.data
for module in pkgutil.iter_modules(phoenix.data.__path__, "phoenix.data."):
    __import__(module.name)
assert not {"jax", "haiku"} & sys.modules.keys()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr


def test_columns_of_a_step_are_memory_of_the_system() -> None:
    code = """
import components, pyarrow
assert pyarrow.default_memory_pool().backend_name == "system"
"""
    environment = {"PATH": os.environ["PATH"]}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert run.returncode == 0, run.stderr


def test_pages_know_no_model() -> None:
    for name, path in module_paths().items():
        if name.startswith("components.pages"):
            models = {"phoenix.train", "phoenix.recommend"}
            assert not {".".join(each.split(".")[:2]) for each in imported_modules(path)} & models


def test_only_steps_and_what_asks_the_models_for_them_name_the_server() -> None:
    users = {name for name, lower in module_graph().items() if "components.serving.server" in lower}
    steps = {step.module for step in contract.STEPS.values()}
    assert users <= steps | {"components.serving.retrace", "components.serving.unranked"}


def test_no_import_closes_a_circle_of_files() -> None:
    assert circle(module_graph()) == []


def test_no_folder_is_a_drawer() -> None:
    folders = [path.parent for path in module_paths().values() if path.stem != "__init__"]
    assert max(map(folders.count, set(folders))) <= MAX_MODULES


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


def test_no_module_is_pickled() -> None:
    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*.py"):
            assert not packages(imported_modules(path)) & {"pickle", "joblib", "dill"}, path


def test_modules_are_short_enough_to_read() -> None:
    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES, path
