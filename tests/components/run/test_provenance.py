import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.run import imports, provenance

Digest = Callable[[str], str]


@pytest.fixture
def digest(tmp_path: Path) -> Digest:
    """The digest of a module of a small project, computed in a fresh process."""
    files = {
        "components/__init__.py": "",
        "components/one.py": "import numpy\nfrom components import shared\n",
        "components/two.py": "def lazily():\n    from phoenix.deep.er import value\n",
        "components/shared.py": "from schemas import columns\n",
        "components/store/artifacts.py": "a = 1\n",
        "components/uses_plumbing.py": "from components.store.artifacts import a\n",
        "phoenix/__init__.py": "",
        "phoenix/deep/__init__.py": "",
        "phoenix/deep/er.py": "value = 1\n",
        "schemas/__init__.py": "",
        "schemas/columns.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "components/run").mkdir()
    for module in (provenance, imports):
        source = Path(module.__file__)
        (tmp_path / "components/run" / source.name).write_text(source.read_text())

    def digest(module: str) -> str:
        code = (
            f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
            f"from components.run import provenance; print(provenance.code_digest({module!r}))"
        )
        run = subprocess.run(
            [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    return digest


@pytest.mark.parametrize(
    ("changed", "moves_one", "moves_two"),
    [
        ("components/one.py", True, False),
        ("components/shared.py", True, False),
        ("schemas/columns.py", True, False),
        ("components/two.py", False, True),
        ("phoenix/deep/er.py", False, True),
    ],
)
def test_a_digest_moves_with_what_a_module_imports_and_with_nothing_else(
    tmp_path: Path, digest: Digest, changed: str, moves_one: bool, moves_two: bool
) -> None:
    before = [digest("components.one"), digest("components.two")]
    with (tmp_path / changed).open("a") as file:
        file.write("# another line\n")
    after = [digest("components.one"), digest("components.two")]
    assert [a != b for a, b in zip(before, after, strict=True)] == [moves_one, moves_two]


def test_plumbing_is_not_in_a_digest(tmp_path: Path, digest: Digest) -> None:
    before = digest("components.uses_plumbing")
    (tmp_path / "components/store/artifacts.py").write_text("a = 2\n")
    assert digest("components.uses_plumbing") == before


def test_the_plumbing_that_is_left_out_exists() -> None:
    assert [name for name in provenance._PLUMBING if provenance._file(name) is None] == []


def test_versions_are_those_that_are_installed() -> None:
    versions = provenance.library_versions()
    assert versions["numpy"] == importlib.metadata.version("numpy")


def test_the_environment_is_recorded_and_in_no_key() -> None:
    import jax

    environment = provenance.environment()
    assert environment == {"python": platform.python_version(), "device": jax.default_backend()}
    assert not environment.keys() & provenance.library_versions().keys()
    assert "jaxlib" in provenance.library_versions(), "it compiles the numbers"
