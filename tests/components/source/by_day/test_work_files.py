import os
from pathlib import Path

from components.source.by_day import work_files


def test_the_newest_stay_whether_file_or_folder(tmp_path: Path) -> None:
    for number in range(12):
        path = tmp_path / f"shown-{number}.npy"
        path.mkdir() if number % 2 else path.touch()
        os.utime(path, ns=(number, number))
    (tmp_path / "overrun-1").mkdir()
    work_files.remove_old(tmp_path, "shown-*.npy")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["overrun-1", *(f"shown-{number}.npy" for number in range(4, 12))]
    )
    work_files.remove_old(tmp_path / "missing", "*")
