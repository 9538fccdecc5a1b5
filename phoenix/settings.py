"""Settings: fields of a dataclass, each declared once with its default, its range and its help.

A declaration is data. The dataclass checks its values by it, and so does whoever reads them from
elsewhere, such as the sections of a configuration file, which are made from these classes.
"""

import dataclasses
import re
import types
from collections.abc import Mapping
from functools import lru_cache
from typing import (
    Any,
    Literal,
    NamedTuple,
    Self,
    TypedDict,
    TypeVar,
    Union,
    Unpack,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from phoenix.config import ConfigError, JsonConfig, is_number

Value = TypeVar("Value")
_DECLARATION = "setting"  # Key of the metadata of a dataclass's field.
_LOWER = {"ge": ("[", ">="), "gt": ("(", ">")}
_UPPER = {"le": ("]", "<="), "lt": (")", "<")}


class Limits(TypedDict, total=False):
    """The range of a number, or of every number of a sequence, and the pattern of a text."""

    ge: float
    gt: float
    le: float
    lt: float
    pattern: str


class Setting(NamedTuple):
    """The declaration of one setting."""

    name: str
    kind: Any  # Its type; a union with None where it may be left open.
    default: Any
    help: str
    limits: Limits

    def accepts(self, value: object) -> bool:
        """Whether a value is of the declared type and in the declared range."""
        return any(_is_a(option, value, self.limits) for option in _options(self.kind))

    @property
    def expected(self) -> str:
        """The type and the range in words, e.g. `None or a number > 0`."""
        options = sorted(_options(self.kind), key=lambda option: option is not types.NoneType)
        return " or ".join(_words(option, self.limits) for option in options)


class Settings(JsonConfig):
    """A dataclass that checks its settings when it is made, and those of its parts with them.

    A subclass is a frozen dataclass with keyword arguments. Rules between fields go into its own
    `__post_init__`, after that of this class.
    """

    def __post_init__(self) -> None:
        for setting in settings_of(type(self)):
            value = getattr(self, setting.name)
            if isinstance(value, list):  # As it comes from JSON.
                value = tuple(value)
                object.__setattr__(self, setting.name, value)
            self.check(setting.accepts(value), setting.name, expected=setting.expected, got=value)
        for name, kind in parts_of(type(self)).items():
            part = getattr(self, name)
            self.check(isinstance(part, kind), name, expected=f"a {kind.__name__}", got=part)

    def check(self, condition: bool, *field: str, expected: str, got: object) -> None:
        """Raises unless `condition` holds.

        Args:
          condition: The claim that must be true.
          field: The path of the field from here, e.g. `"validation", "patience"`.
          expected: What the field must be, in words.
          got: The value that came.

        Raises:
          ConfigError: If `condition` is false.
        """
        if not condition:
            raise self.error(*field, expected=expected, got=f"{got!r}.")

    def error(self, *field: str, expected: str, got: str) -> ConfigError:
        """Returns the error of a field.

        Args:
          field: The path of the field from here.
          expected: What the field must be, in words.
          got: What came, in words that end the sentence.
        """
        problem = f"expected {expected}, got {got}"
        return ConfigError(problem, owner=type(self).__name__, field=field)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The settings whose `to_dict` gave `values`.

        Raises:
          ConfigError: If a field is missing, unknown, or has an unusable value; its path starts
            here.
        """
        parts = {}
        for name, kind in parts_of(cls).items():
            if isinstance(values.get(name), Mapping):
                try:
                    parts[name] = kind.from_dict(values[name])
                except ConfigError as error:
                    field = (name, *error.field)
                    raise ConfigError(error.problem, owner=cls.__name__, field=field) from error
        return super().from_dict({**values, **parts})


def setting(default: Value, text: str, **limits: Unpack[Limits]) -> Value:
    """Declares a setting as a field of a dataclass.

    Args:
      default: Its value where nobody says another.
      text: What it does, with its unit, in a sentence or two.
      **limits: Its range; for a sequence, that of every entry.
    """
    metadata = {_DECLARATION: (text, limits)}
    # A type checker sees the default, as it does of `dataclasses.field`.
    if isinstance(default, dict):
        values: Any = dataclasses.field(default_factory=default.copy, metadata=metadata)
    else:
        values = dataclasses.field(default=default, metadata=metadata)
    return values


@lru_cache
def settings_of(kind: type[Settings]) -> tuple[Setting, ...]:
    """Returns the settings that a dataclass declares itself, those of its parts left out.

    >>> @dataclasses.dataclass(frozen=True, kw_only=True)
    ... class Walk(Settings):
    ...     steps: int = setting(3, "How far.", ge=1)
    >>> [(each.name, each.default, each.expected) for each in settings_of(Walk)]
    [('steps', 3, 'an integer >= 1')]
    """
    hints = _hints(kind)
    settings = []
    for field in _fields(kind):
        if _DECLARATION in field.metadata:
            text, limits = field.metadata[_DECLARATION]
            make = field.default_factory
            default = field.default if make is dataclasses.MISSING else make()
            settings.append(Setting(field.name, hints[field.name], default, text, limits))
    return tuple(settings)


@lru_cache
def parts_of(kind: type[Settings]) -> Mapping[str, type[Settings]]:
    """Returns the fields of a dataclass that hold settings of their own, with their classes."""
    hints = _hints(kind)
    classes = {field.name: hints[field.name] for field in _fields(kind)}
    return {
        name: each
        for name, each in classes.items()
        if isinstance(each, type) and issubclass(each, Settings)
    }


@lru_cache
def _hints(kind: type[Settings]) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _fields(kind: type[Settings]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()


def _options(kind: object) -> tuple[Any, ...]:
    """The members of a union; of another type, the type."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _is_a(kind: Any, value: object, limits: Limits) -> bool:  # noqa: ANN401 - a type of any kind
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(_is_a(arguments[0], each, limits) for each in value)
    if origin is dict:
        options = _options(arguments[1])
        return isinstance(value, Mapping) and all(
            any(_is_a(option, each, limits) for option in options) for each in value.values()
        )
    if kind is int:
        is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
        return is_integer and _is_within(value, limits)
    if kind is float:
        return is_number(value) and _is_within(value, limits)
    if kind is str and isinstance(value, str):
        return re.search(limits.get("pattern", ""), value) is not None
    return isinstance(value, kind)


def _is_within(value: Any, limits: Limits) -> bool:  # noqa: ANN401 - a number of any kind
    return (
        limits.get("ge", value) <= value <= limits.get("le", value)
        and ("gt" not in limits or value > limits["gt"])
        and ("lt" not in limits or value < limits["lt"])
    )


def _words(kind: Any, limits: Limits) -> str:  # noqa: ANN401 - a type of any kind
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin is tuple:
        return f"a sequence, each entry {_words(arguments[0], limits)}"
    if origin is dict:
        values = " or ".join(_words(option, limits) for option in _options(arguments[1]))
        return f"a mapping, each value {values}"
    if kind is str and "pattern" in limits:
        return f"a text that matches {limits['pattern']}"
    names = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}
    name = names.get(kind, "None")
    return f"{name} {_range(limits)}".strip() if kind in (int, float) else name


def _range(limits: Limits) -> str:
    lower = [(limits[key], *signs) for key, signs in _LOWER.items() if key in limits]
    upper = [(limits[key], *signs) for key, signs in _UPPER.items() if key in limits]
    if lower and upper:
        return f"in {lower[0][1]}{lower[0][0]}, {upper[0][0]}{upper[0][1]}"
    return "".join(f"{sign} {limit}" for limit, _, sign in (*lower, *upper))
