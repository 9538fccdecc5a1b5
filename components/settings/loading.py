"""Reading a configuration: YAML with merge keys, errors by path, paths from the file's folder."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from components.errors import BadConfigurationError
from components.settings import names
from components.settings.config import Config


def load(path: Path) -> Config:
    """Reads and validates a configuration file; relative paths in it are relative to its folder.

    Raises:
      BadConfigurationError: If it cannot be read, is no YAML mapping, or breaks a rule.
    """
    try:
        raw = _read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigurationError(f"{path}: cannot be read: {error}") from error
    # Beside its own errors, PyYAML lets out those of Python: of a day that no calendar has, and of
    # lists in lists without an end.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadConfigurationError(f"{path}: is not YAML: {error}") from error
    if not isinstance(raw, dict):
        content = "an empty file" if raw is None else type(raw).__name__
        raise BadConfigurationError(f"{path}: expected a mapping of sections, got {content}.")
    try:
        config = Config.model_validate(raw, context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise BadConfigurationError(f"{path}:\n{_explain(error, raw)}") from error
    if paths := list(_flags_as_numbers(raw, config)):
        lines = [
            f"  {each}: expected a number, got true or false (yes, no, on, off)" for each in paths
        ]
        raise BadConfigurationError("\n".join([f"{path}:", *lines]))
    return config


class _Loader(yaml.SafeLoader):
    """YAML's safe types, with a key that is given twice refused instead of overwritten."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Returns the next node of the document, checked if it is a mapping."""
        # Here and not where values are made: by then, merged keys (`<<`) stand beside own ones.
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.MappingNode):
            _refuse_repeated_keys(node)
        return node


def _refuse_repeated_keys(mapping: yaml.MappingNode) -> None:
    keys = set()
    for key_node, _ in mapping.value:
        key = (key_node.tag, str(key_node.value))  # the tag tells 1 from "1"
        if key in keys:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key_node.value!r} is given twice", key_node.start_mark
            )
        keys.add(key)


def _read_yaml(text: str) -> object:
    """Returns the document of a YAML text; None for an empty one."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _flags_as_numbers(raw: object, value: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yields the paths at which the file says true or false and pydantic read 1 or 0."""
    if isinstance(raw, bool):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield ".".join(path)
    elif isinstance(raw, Mapping):
        for key, inner in raw.items():
            member = (
                value.get(key) if isinstance(value, Mapping) else getattr(value, str(key), None)
            )
            yield from _flags_as_numbers(inner, member, (*path, str(key)))
    elif isinstance(raw, list) and isinstance(value, list | tuple):
        for place, (inner, member) in enumerate(zip(raw, value, strict=False)):
            yield from _flags_as_numbers(inner, member, (*path, str(place)))


def _explain(error: ValidationError, raw: Mapping[str, Any]) -> str:
    """Returns a line per mistake: path in the file, what is wrong, and what stands there."""
    lines = []
    problems = error.errors()
    for problem in problems:
        if problem["type"] == "too_short" and _has_inner(problem, problems):
            continue  # the list is short because its entries were refused
        path = _field_path(problem["loc"], raw)
        message = problem["msg"]
        if problem["type"] == "extra_forbidden":
            near = names.nearest(Config, path)
            message = "there is no such setting" + (f"; `{near}` may be meant" if near else "")
        got = "" if problem["type"] == "missing" else f", got {problem['input']!r:.80}"
        lines.append(f"  {'.'.join(path) or '(whole file)'}: {message}{got}")
    return "\n".join(lines)


def _has_inner(problem: ErrorDetails, problems: Sequence[ErrorDetails]) -> bool:
    """Whether a problem of a list has others within the list."""
    size = len(problem["loc"])
    return any(p["loc"][:size] == problem["loc"] and len(p["loc"]) > size for p in problems)


def _field_path(location: tuple[int | str, ...], raw: object) -> list[str]:
    """Returns the keys that lead to a field in the file; pydantic names layouts and types, too."""
    path = []
    for position, part in enumerate(location):
        if not isinstance(raw, Mapping | list):
            break  # the rest says which member of a union the value is not
        if isinstance(raw, Mapping) and part not in raw and position + 1 < len(location):
            continue
        path.append(str(part))
        if isinstance(raw, Mapping):
            raw = raw.get(part)
        elif isinstance(raw, list) and isinstance(part, int):
            raw = raw[part]
    return path
