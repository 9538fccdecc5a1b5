"""Reading a configuration: YAML with merge keys, errors by path, paths from the file's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from components.errors import BadConfigurationError
from components.settings import names
from components.settings import source as source_config
from components.settings.config import Config


def load(path: Path) -> Config:
    """Reads and validates a configuration file; relative paths in it are relative to its folder.

    Raises:
      BadConfigurationError: If it cannot be read, is no YAML mapping, or breaks a rule.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigurationError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise BadConfigurationError(f"{path}: is not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise BadConfigurationError(
            f"{path}: expected a mapping of sections, got {type(raw).__name__}."
        )
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise BadConfigurationError(f"{path}:\n{_explain(error, raw)}") from error
    folder = path.resolve().parent
    return _anchored(_with_lists(config, folder), folder)


class _Loader(yaml.SafeLoader):
    """YAML's safe types, with a key that is given twice refused instead of overwritten."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:  # noqa: ANN401 - the stub is wrong
        # Here and not where values are made: by then, merged keys (`<<`) stand beside own ones.
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key_node, _ in node.value:
            key = (key_node.tag, str(key_node.value))
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return node


def _explain(error: ValidationError, raw: Mapping[str, Any]) -> str:
    lines = []
    for problem in error.errors():
        path = _field_path(problem["loc"], raw)
        message = problem["msg"]
        if problem["type"] == "extra_forbidden":
            near = names.meant(Config, path)
            message = "there is no such setting" + (f"; `{near}` may be meant" if near else "")
        got = "" if problem["type"] == "missing" else f", got {problem['input']!r:.80}"
        lines.append(f"  {'.'.join(path) or '(whole file)'}: {message}{got}")
    return "\n".join(lines)


def _field_path(location: tuple[int | str, ...], raw: object) -> list[str]:
    """Returns the keys that lead to a field in the file; pydantic also names the chosen layout."""
    path = []
    for position, part in enumerate(location):
        if isinstance(raw, Mapping) and part not in raw and position + 1 < len(location):
            continue
        path.append(str(part))
        if isinstance(raw, Mapping):
            raw = raw.get(part)
        elif isinstance(raw, list) and isinstance(part, int):
            raw = raw[part]
    return path


def _with_lists(config: Config, folder: Path) -> Config:
    """Returns the configuration with the paths of lists and repairs made absolute."""
    ingest, validate = config.ingest_events, config.validate_events
    if ingest.erased_users is not None:
        erased = (folder / ingest.erased_users).resolve()
        ingest = ingest.model_copy(update={"erased_users": erased})
    if validate.repairs is not None:
        repairs = (folder / validate.repairs).resolve()
        validate = validate.model_copy(update={"repairs": repairs})
    return config.model_copy(update={"ingest_events": ingest, "validate_events": validate})


def _anchored(config: Config, folder: Path) -> Config:
    """Returns the configuration with relative paths made absolute."""
    is_address = "://" in config.store
    store = config.store if is_address else str((folder / config.store).resolve())
    source = source_config.anchored(config.ingest_events.source, folder)
    ingest = config.ingest_events.model_copy(update={"source": source})
    changes = {"ingest_events": ingest, "attributes": config.attributes.anchored(folder)}
    return config.model_copy(update={"store": store, **changes})
