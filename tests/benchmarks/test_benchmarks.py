import json
import subprocess
import sys
from pathlib import Path


def run_benchmarks(root: Path, *names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *names]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_a_benchmark_prints_one_json_object_per_line(repository_root: Path) -> None:
    result = run_benchmarks(repository_root, "store")
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    measured = json.loads(line)
    assert set(measured) == {"name", "ours", "peer", "ratio", "unit", "note"}
    assert abs(measured["ours"] / measured["peer"] - measured["ratio"]) < 1e-3 * measured["ratio"]


def test_an_unknown_benchmark_is_refused_by_name(repository_root: Path) -> None:
    result = run_benchmarks(repository_root, "stroe")
    assert result.returncode == 2
    assert "stroe" in result.stderr
