"""The names of settings, found in the configuration's own classes."""

import difflib
import types
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def options(annotation: Any) -> list[Any]:  # noqa: ANN401 - a type, or what stands for one
    """Returns the members of a union, annotated or not."""
    if get_origin(annotation) is Annotated:
        return options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [each for option in get_args(annotation) for each in options(option)]
    return [annotation]


def sections(field: FieldInfo) -> list[type[BaseModel]]:
    """Returns the sections that a field holds: one, or one per layout or kind."""
    found = []
    for option in options(field.annotation):
        members = options(get_args(option)[0]) if get_origin(option) is tuple else [option]
        found += [each for each in members if is_section(each)]
    return found


def is_section(option: object) -> bool:
    """Whether a type is a section of the configuration."""
    return isinstance(option, type) and issubclass(option, BaseModel)


def meant(section: type[BaseModel], path: Sequence[str]) -> str | None:
    """Returns the setting that somebody meant who wrote one that does not exist.

    Args:
      section: Where the path starts.
      path: Keys and numbers of list entries that lead to the setting, which comes last.
    """
    found = [section]
    for key in path[:-1]:
        if not key.isdigit():
            fields = [each.model_fields[key] for each in found if key in each.model_fields]
            found = [inner for field in fields for inner in sections(field)]
    names = sorted({name for each in found for name in each.model_fields})
    near = difflib.get_close_matches(path[-1], names, n=1)
    return near[0] if near else None
