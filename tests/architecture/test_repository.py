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
# Modules whose promises are those of something larger, and the test that holds them to it.
TESTED_BY = {
    "config_base": "test_config",
    "engine_config": "test_config",
    "quality_config": "test_config",
    "train_ranker": "test_training_window",
    "train_retrieval": "test_training_window",
}


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
def test_every_module_has_a_test_of_its_name(layer: str) -> None:
    tests = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    modules = {path.stem for path in (ROOT / layer).rglob("*.py")} - {"__init__"}
    wanted = {name: TESTED_BY.get(name, f"test_{name}") for name in modules}
    missing = sorted(name for name, test in wanted.items() if test not in tests)
    assert missing == []


def test_no_module_is_excused_that_has_a_test_of_its_name() -> None:
    tests = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert [name for name in TESTED_BY if f"test_{name}" in tests] == []


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
