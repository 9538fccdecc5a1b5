"""The names of settings, found in the configuration's own classes."""

import difflib
import types
from collections.abc import Sequence
from typing import Annotated, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def options(annotation: object) -> list[object]:
    """Returns the members of a union, annotated or not; a type that is none is its only member.

    >>> options(Annotated[int | str, "metadata"])
    [<class 'int'>, <class 'str'>]
    """
    if get_origin(annotation) is Annotated:
        return options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [each for option in get_args(annotation) for each in options(option)]
    return [annotation]


def rules_of_members(annotation: object) -> list[object]:
    """Returns the limits that stand at a member of a union, such as the number beside a word.

    >>> from pydantic import Field
    >>> rules_of_members(Annotated[int, Field(ge=0)] | str)
    [Ge(ge=0)]
    """
    if get_origin(annotation) not in (Union, types.UnionType):
        return []
    fields = [
        each
        for option in get_args(annotation)
        if get_origin(option) is Annotated
        for each in get_args(option)[1:]
        if isinstance(each, FieldInfo)
    ]
    return [rule for each in fields for rule in each.metadata]


def sections(field: FieldInfo) -> list[type[BaseModel]]:
    """Returns the sections that a field holds: one, or one per layout or kind."""
    models: list[type[BaseModel]] = []
    for option in options(field.annotation):
        members = options(get_args(option)[0]) if get_origin(option) is tuple else [option]
        models += [member for member in members if is_section(member)]
    return models


def is_section(option: object) -> TypeGuard[type[BaseModel]]:
    """Whether a type is a section of the configuration."""
    return isinstance(option, type) and issubclass(option, BaseModel)


def nearest(section: type[BaseModel], path: Sequence[str]) -> str | None:
    """Returns the setting whose name is nearest to that of one which does not exist.

    Settings of the same section alone are compared; None if no name is near.

    Args:
      section: Where the path starts.
      path: Keys and numbers of list entries that lead to the setting, which comes last.
    """
    models = [section]  # several where a field holds one section per layout or kind
    for key in path[:-1]:
        if not key.isdigit():
            fields = [model.model_fields[key] for model in models if key in model.model_fields]
            models = [inner for field in fields for inner in sections(field)]
    names = sorted({name for model in models for name in model.model_fields})
    near = difflib.get_close_matches(path[-1], names, n=1)
    return near[0] if near else None
