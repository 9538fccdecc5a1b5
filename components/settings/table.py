"""The settings as a document, made from the configuration's own classes so that it cannot drift."""

import types
from collections.abc import Iterator
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from components.settings import names as config_names
from components.settings.config import Config

_INTRODUCTION = """# Configuration

One YAML file per deployment. `phoenix config` prints this page; unknown keys, keys given twice and
values out of range are refused with the path of the field. A setting without a default is required.
Relative paths start at the folder of the file. The section of a step is called like the step. What
sections have in common can be written once: `&name` at one, `<<: *name` in the others.
"""
_TYPE_NAMES: dict[object, str] = {
    int: "integer",
    float: "number",
    str: "text",
    bool: "true or false",
}
_LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "multiple of"}


def markdown() -> str:
    """Returns every setting with its type, range, default and meaning, as Markdown."""
    return "\n".join([_INTRODUCTION, *_sections("", Config)])


def _sections(title: str, section: type[BaseModel]) -> Iterator[str]:
    """Yields the part of a section and then those of the sections in it, each with its path."""
    values = {
        name: field
        for name, field in section.model_fields.items()
        if not config_names.sections(field)
    }
    inner = {name: field for name, field in section.model_fields.items() if name not in values}
    if title:
        yield f"## {title}\n"
        yield f"{section.__doc__}\n"
    # A field that holds a section gets a row, too, where its own description adds to the section's.
    with_row = {
        name: field
        for name, field in section.model_fields.items()
        if name in values or field.description
    }
    if with_row:
        yield "| setting | value | default | meaning |\n|---|---|---|---|"
        yield "\n".join(_row(name, field) for name, field in with_row.items()) + "\n"
    for name, field in inner.items():
        path = f"{title.strip('`')}.{name}".strip(".")
        models = config_names.sections(field)
        for model in models:
            layout = _tag(model)
            yield from _sections(f"`{path}`" + (f" with `{layout}`" if layout else ""), model)


def _row(name: str, field: FieldInfo) -> str:
    default = "" if field.is_required() else _default(field)
    meaning = field.description or ""
    return f"| `{name}` | {_value(field)} | {default} | {meaning} |"


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        parts = (
            ", ".join(f"{name}: {part}" for name, part in each.model_dump().items())
            for each in value
        )
        return f"`[{', '.join(f'{{{part}}}' for part in parts)}]`"
    if value is PydanticUndefined or isinstance(value, BaseModel) or value in ((), {}):
        return "empty" if value in ((), {}) else "see below"
    if value is None or isinstance(value, bool):
        return "none" if value is None else f"`{str(value).lower()}`"
    return f"`{value}`"


def _value(field: FieldInfo) -> str:
    """Returns the type of a field and its limits, in words."""
    annotation = field.annotation
    options = [
        option for option in config_names.options(annotation) if option is not types.NoneType
    ]
    words = " or ".join(dict.fromkeys(_type_name(option) for option in options))
    limits = []
    for rule in [*field.metadata, *config_names.rules_of_members(annotation)]:
        for attribute, sign in _LIMITS.items():
            limit = getattr(rule, attribute, None)
            if limit is not None:
                limits.append(f"{sign} {limit}")
    return ", ".join([words, *limits])


def _type_name(option: object) -> str:
    if get_origin(option) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(option))
    if config_names.is_section(option):
        return "section"
    if option in _TYPE_NAMES:
        return _TYPE_NAMES[option]
    origin = get_origin(option)
    if origin is dict:
        value = config_names.options(get_args(option)[1])[0]
        return "mapping of numbers" if value in (float, int) else "mapping of texts"
    if origin is tuple:
        return "list"
    return {"date": "date", "Path": "path"}.get(getattr(option, "__name__", ""), str(option))


def _tag(model: type[BaseModel]) -> str | None:
    """Returns `layout: kuairand` for a section that says by one field which one it is."""
    for name in ("layout", "kind"):
        field = model.model_fields.get(name)
        if field is not None:
            return f"{name}: {get_args(field.annotation)[0]}"
    return None
