"""The code and the libraries that made an artifact, for its content key."""

import functools
import hashlib
import importlib.metadata
import platform
import sys
from pathlib import Path

from components.run.imports import imported_modules

_OURS = ("components", "phoenix", "schemas")
# Modules and rooms that shape no artifact: they move artifacts, say how a run went, or show what
# came out. The values of the settings are in the recipe itself.
_PLUMBING = (
    "components.contract",
    "components.errors",
    "components.step",
    "components.store",
    "components.settings",
    "components.run",
    "components.local",
    "components.drawings",
    "components.pages",
    "components.cli",
)
# Libraries that compute or write what is in artifacts; those that show or move it are left out.
_LIBRARIES = (
    "dm-haiku",
    "duckdb",
    "faiss-cpu",
    "great-expectations",
    "ibis-framework",
    "jax",
    "jaxlib",
    "numpy",
    "optax",
    "orbax-checkpoint",
    "pyarrow",
    "tensorstore",
)


@functools.cache
def code_digest(module: str) -> str:
    """Returns the SHA-256 over a module and every module of ours that it imports, at any depth.

    A change to one step's code therefore changes the content key of that step and of those that
    share the changed module, and of no other. The plumbing of the steps is left out.
    """
    digest = hashlib.sha256()
    for name in sorted(modules_in_key(module)):
        digest.update(f"{name}\n".encode() + _source(name).read_bytes())
    return digest.hexdigest()


@functools.cache
def library_versions() -> dict[str, str]:
    """Returns the versions of the libraries that shape the content of artifacts."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def environment() -> dict[str, str | None]:
    """Returns what is recorded of a run and is in no key: Python's version, the kind of device.

    The device is None where nothing was computed on one. It is asked of JAX only where a step has
    loaded it, since asking takes a GPU's memory.
    """
    jax = sys.modules.get("jax")
    device = None if jax is None else jax.default_backend()
    return {"python": platform.python_version(), "device": device}


def modules_in_key(module: str) -> set[str]:
    """Returns a module and all of ours that it imports, at any depth, less the plumbing."""
    modules, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in modules:
            modules.add(name)
            waiting += _imports(name)
    return modules


def _imports(module: str) -> list[str]:
    """Returns the modules of ours that a module imports, less the plumbing."""
    return [
        name
        for name in imported_modules(_source(module))
        if name.split(".")[0] in _OURS and not _is_plumbing(name) and _file(name) is not None
    ]


def _is_plumbing(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in _PLUMBING)


def _source(module: str) -> Path:
    path = _file(module)
    if path is None:
        raise ModuleNotFoundError(f"The module {module} has no source file.")
    return path


@functools.cache
def _file(module: str) -> Path | None:
    # By path, because to find a module the import system loads the package around it, JAX and all.
    stem = Path(__file__).parents[2].joinpath(*module.split("."))
    candidates = (stem.with_name(f"{stem.name}.py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)
