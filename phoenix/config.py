"""The common part of all configurations: checks with clear errors, and a JSON form.

A configuration is a frozen dataclass that checks itself when it is made. Its `to_dict` form travels
inside checkpoints; `from_dict` refuses a form with a missing or unknown field, so a checkpoint of
another version fails by the name of the field and not by the shape of an array.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

JsonDict = dict[str, Any]


class ConfigError(ValueError):
    """A configuration field has a value that the model or its training cannot use.

    Attributes:
      field: The keys that lead to the field, e.g. `("validation", "patience")`; empty where the
        problem is not that of a setting.
      problem: What was expected there, and what came.
    """

    def __init__(self, problem: str, *, owner: str = "", field: tuple[str, ...] = ()) -> None:
        name = ".".join((owner, *field))
        super().__init__(f"`{name}`: {problem}" if field else problem)
        self.field = field
        self.problem = problem


def check(condition: bool, field: str, *, expected: str, got: object) -> None:
    """Raises unless `condition` holds.

    Args:
      condition: The claim that must be true.
      field: Name of the field, with its class, e.g. `TransformerConfig.key_size`.
      expected: What the field must be, in words.
      got: The value that came.

    Raises:
      ConfigError: If `condition` is false.

    >>> check(3 > 0, "TransformerConfig.key_size", expected="an integer >= 1", got=3)
    >>> check(0 > 0, "TransformerConfig.key_size", expected="an integer >= 1", got=0)
    Traceback (most recent call last):
    phoenix.config.ConfigError: `TransformerConfig.key_size`: expected an integer >= 1, got 0.
    """
    if not condition:
        raise ConfigError(f"`{field}`: expected {expected}, got {got!r}.")


def check_counts(config: object, fields: Sequence[str], *, minimum: int = 1) -> None:
    """Checks that each of `fields` of `config` is an integer of at least `minimum`.

    Raises:
      ConfigError: If one is not.
    """
    for field in fields:
        check_count(f"{type(config).__name__}.{field}", getattr(config, field), minimum=minimum)


def check_count(name: str, value: object, *, minimum: int) -> None:
    """Checks that `value`, called `name`, is an integer of at least `minimum`.

    Raises:
      ConfigError: If it is not.
    """
    # A bool is an integer to Python, and `num_layers=True` is a slip.
    is_count = isinstance(value, int | np.integer) and value >= minimum
    check(
        bool(is_count) and not isinstance(value, bool),
        name,
        expected=f"an integer >= {minimum}",
        got=value,
    )


def is_number(value: object) -> bool:
    """Whether `value` is a finite number; true and false are none.

    >>> [is_number(value) for value in (1, 0.5, np.float32(2), True, float("nan"), "1")]
    [True, True, True, False, False, False]
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return math.isfinite(value)


def check_type(config: object, field: str, kind: type) -> None:
    """Checks that `field` of `config` is a `kind`.

    Raises:
      ConfigError: If it is not.
    """
    value = getattr(config, field)
    name = f"{type(config).__name__}.{field}"
    check(isinstance(value, kind), name, expected=f"a {kind.__name__}", got=value)


def check_choice(config: object, field: str, choices: Sequence[str]) -> None:
    """Checks that `field` of `config` is one of `choices`.

    Raises:
      ConfigError: If it is not.
    """
    value = getattr(config, field)
    check(
        value in choices,
        f"{type(config).__name__}.{field}",
        expected="one of " + ", ".join(map(repr, choices)),
        got=value,
    )


def float_dtype(config: object, field: str) -> np.dtype:
    """The floating dtype that `field` of `config` names, such as `"bfloat16"` or `jnp.float32`.

    Raises:
      ConfigError: If the field names no floating dtype.
    """
    import jax.numpy as jnp  # NumPy knows no bfloat16, and the data steps no JAX

    value = getattr(config, field)
    name = f"{type(config).__name__}.{field}"
    try:
        dtype = jnp.dtype(value)
    except TypeError as error:
        raise ConfigError(f"`{name}`: expected a floating dtype, got {value!r}.") from error
    check(jnp.issubdtype(dtype, jnp.floating), name, expected="a floating dtype", got=value)
    return dtype


class JsonConfig:
    """Gives a dataclass `to_dict` and `from_dict`.

    Fields whose name starts with an underscore are state, not configuration, and are left out.
    """

    _nested: ClassVar[Mapping[str, type["JsonConfig"]]] = {}

    def to_dict(self) -> JsonDict:
        """The configuration as JSON-able values; dtypes by name, nested configurations as dicts."""
        return {name: _json_value(getattr(self, name)) for name in _public_fields(type(self))}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration whose `to_dict` gave `values`.

        Raises:
          ConfigError: If a field is missing, unknown, or has an unusable value.
        """
        expected = _public_fields(cls)
        missing = [name for name in expected if name not in values]
        unknown = [name for name in values if name not in expected]
        check(not missing, cls.__name__, expected=f"the fields {missing}", got=sorted(values))
        check(not unknown, cls.__name__, expected=f"only the fields {expected}", got=unknown)
        nested = {}
        for name, kind in cls._nested.items():
            if isinstance(values[name], Mapping):
                nested[name] = kind.from_dict(values[name])
            elif isinstance(values[name], list | tuple):
                nested[name] = tuple(kind.from_dict(value) for value in values[name])
        return cls(**{**values, **nested})


def _public_fields(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls) if not field.name.startswith("_")]


def _json_value(value: object) -> object:
    if isinstance(value, JsonConfig):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_json_value(each) for each in value]
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, np.generic):
        return value.item()
    return value
