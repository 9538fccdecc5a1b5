"""Files below `work/` that spare the next day a reading of the days before it."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.source.layouts import Layout
from components.store import formats

_NUM_NEWEST = 8  # days of which files stay


def identity(layout: Layout, files: Sequence[Path]) -> str:
    """Returns what is another text when a file or a setting changes."""
    stats = [(str(file), file.stat()) for file in files]
    # By what the file system says: to read all files of all days again would cost too much.
    parts: list[Any] = [[n, s.st_ino, s.st_size, s.st_mtime_ns] for n, s in stats]
    parts += [layout.mapping, formats.SORTED_SOURCE]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def remove_old(work: Path, pattern: str) -> None:
    """Removes what is there of older days than the newest ones; `pattern` is a glob of names."""
    # A step of another day may be removing it, too.
    paths = []
    for path in work.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            paths.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(paths)[:-_NUM_NEWEST]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
