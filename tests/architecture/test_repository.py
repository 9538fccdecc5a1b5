"""What is in the repository: nothing of one machine, and a test beside every module."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Folders of a home or of one machine, and addresses of package indexes.
FOREIGN = re.compile(r"/(?:home|Users|work|root|mnt)/\w|https?://[^\s/]*(?:pypi|artifactory|nexus)")
LAYERS = ("components", "phoenix", "schemas")


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_tracked_file_names_a_machine() -> None:
    for path in tracked_files():
        if path == Path(__file__) or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = FOREIGN.search(text)
        assert found is None, f"{path.relative_to(ROOT)}: {found and found[0]}"


def test_no_artifact_and_no_data_is_tracked() -> None:
    wrong = {".parquet", ".pkl", ".pickle", ".db", ".sqlite", ".log"}
    assert [path for path in tracked_files() if path.suffix in wrong] == []


@pytest.mark.parametrize("layer", LAYERS)
def test_every_module_has_a_test_at_its_place(layer: str) -> None:
    modules = [path.relative_to(ROOT) for path in (ROOT / layer).rglob("*.py")]
    places = [Path("tests", path.parent, f"test_{path.name}") for path in modules]
    places = [path for path in places if path.name != "test___init__.py"]
    assert [str(path) for path in places if not (ROOT / path).exists()] == []


def test_components_need_no_airflow() -> None:
    code = f"""
import sys
class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "airflow":
            raise ImportError(f"{{name}} is not in the component image")
sys.meta_path.insert(0, Refusing())
import importlib, pathlib
root = pathlib.Path({str(ROOT)!r})
for path in sorted((root / "components").rglob("*.py")):
    importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
