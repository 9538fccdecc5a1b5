"""The modules that a source file imports, read from its text."""

import ast
from pathlib import Path

_IMPORTERS = ("import_module", "__import__")


def imported_modules(path: Path) -> set[str]:
    """Returns the absolute names that a file imports: at its head, in functions, or by text.

    The source is read, not imported: an import would load what it names, and miss what is imported
    late. `from a import b` gives `a` and `a.b`, which may be a module or anything in one.

    Args:
      path: A source file; relative imports in it are refused.

    Raises:
      ImportError: If an import is relative, so that the file alone does not say what it means.
    """
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ImportError(f"{path}:{node.lineno}: a relative import")
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and _function_name(node) in _IMPORTERS:
            modules |= {
                item.value
                for item in node.args[:1]
                if isinstance(item, ast.Constant) and isinstance(item.value, str)
            }
    return modules


def _function_name(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
