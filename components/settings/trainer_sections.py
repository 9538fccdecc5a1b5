"""Sections of the configuration file that are made from the settings of the trainer.

Name, default, range and help of such a setting stand in the trainer's dataclass and nowhere else.
The parts of a dataclass, which have none themselves, become sections of their own. Two dataclasses
may share one: the section has the fields of both.
"""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import Field, create_model, model_validator

from components.settings.section import Section
from phoenix.config import ConfigError
from phoenix.settings import Setting, Settings, parts_of, settings_of

AnySection = TypeVar("AnySection", bound=Section)


def with_settings_of(
    *kinds: type[Settings], auto: Collection[str] = ()
) -> Callable[[type[AnySection]], type[AnySection]]:
    """Returns a decorator that adds to a section the settings of dataclasses.

    Fields that the section has, or inherits, stay as they are.

    Args:
      *kinds: The dataclasses.
      auto: Names of settings that may be `auto`, and are by default: they follow the log.
    """

    def extend(section: type[AnySection]) -> type[AnySection]:
        fields = _fields(kinds)
        for kind in kinds:
            fields |= {
                each.name: _auto_field(each) for each in settings_of(kind) if each.name in auto
            }
        new = {name: each for name, each in fields.items() if name not in section.model_fields}
        return create_model(
            section.__name__,
            __base__=section,
            __doc__=section.__doc__,
            __module__=section.__module__,
            **new,
        )

    return extend


def trainer_values(kind: type[Settings], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those values of a section that are settings of a dataclass, nested as it is.

    Args:
      kind: One of those that the section is made from.
      values: The section, as `model_dump` gives it.
    """
    own = {setting.name: values[setting.name] for setting in settings_of(kind)}
    parts = {name: trainer_values(part, values[name]) for name, part in parts_of(kind).items()}
    return {**own, **parts}


@lru_cache
def _section_of(kinds: tuple[type[Settings], ...]) -> type[Section]:
    """Returns the section of the settings of dataclasses, with the words of the first."""

    def check(section: Section) -> Section:
        # A rule between fields stands in the dataclass alone; here it is refused in the file.
        for kind in kinds:
            try:
                kind(**trainer_values(kind, section.model_dump()))
            except ConfigError as error:
                problem = error.problem.removesuffix(".")  # The value follows.
                raise ValueError(f"`{'.'.join(error.field)}`: {problem}") from error
        return section

    validators: dict[str, Any] = {"check": model_validator(mode="after")(check)}
    return create_model(
        kinds[0].__name__.removesuffix("Config") + "Section",
        __base__=Section,
        __doc__=kinds[0].__doc__,
        __module__=__name__,
        __validators__=validators,
        **_fields(kinds),
    )


def _fields(kinds: tuple[type[Settings], ...]) -> dict[str, Any]:
    """The fields of a section, as `create_model` takes them: settings first, then sections."""
    fields: dict[str, Any] = {
        setting.name: _field(setting) for kind in kinds for setting in settings_of(kind)
    }
    parts: dict[str, tuple[type[Settings], ...]] = {}
    for kind in kinds:
        for name, part in parts_of(kind).items():
            parts[name] = (*parts.get(name, ()), part)
    for name, classes in parts.items():
        section = _section_of(classes)
        fields[name] = (section, section())
    return fields


def _auto_field(setting: Setting) -> tuple[Any, Any]:
    """The field of a setting that is a number, or follows the log."""
    number = Annotated[setting.kind, Field(**setting.limits)]
    return number | Literal["auto"], Field(default="auto", description=setting.help)


def _field(setting: Setting) -> tuple[Any, Any]:
    if get_origin(setting.kind) is tuple:  # The range is that of every entry.
        entry = Annotated[get_args(setting.kind)[0], Field(**setting.limits)]
        return tuple[entry, ...], Field(default=setting.default, description=setting.help)
    if setting.limits and isinstance(setting.default, str) and "pattern" not in setting.limits:
        # A number or a word: the range is that of the number, and a word has none.
        number, word = get_args(setting.kind)
        kind = Annotated[number, Field(**setting.limits)] | word
        return kind, Field(default=setting.default, description=setting.help)
    declared = Field(default=setting.default, description=setting.help, **setting.limits)
    return setting.kind, declared
