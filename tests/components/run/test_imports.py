"""The imports of a source file, wherever in it and however they are written."""

from pathlib import Path

import pytest

from components.run.imports import imported_modules


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        ("import a.b", {"a.b"}),
        ("from a.b import c, d", {"a.b", "a.b.c", "a.b.d"}),
        ("def f():\n    from a import b", {"a", "a.b"}),
        ('import importlib\nimportlib.import_module("a.b")', {"importlib", "a.b"}),
        ('__import__("a")', {"a"}),
        ('print("a.b")', set()),
    ],
)
def test_every_import_is_seen(line: str, modules: set[str], tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(f"{line}\n")
    assert imported_modules(path) == modules


def test_a_relative_import_is_refused_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import a\nfrom . import b\n")
    with pytest.raises(ImportError, match=r"module\.py:2: a relative import"):
        imported_modules(path)
