"""Settings to try in place of the present ones: names within the section of a training, and values.

A name is that of the section, dotted where it is of a part of it: `epochs`, `model.taste`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from components.errors import BadConfigurationError
from components.settings import names
from components.settings.config import Config
from components.settings.section import Section
from components.training import trainer_settings

Space = Mapping[str, Sequence[Any]]  # values by name, in the order in which they are tried
Changes = Mapping[str, Any]  # the value by name, of what differs from the present settings

# Times the present number. The nearest first: a budget may end before the others.
_FACTORS: Mapping[str, Sequence[float]] = {
    "epochs": (2, 0.5),
    "learning_rate": (1 / 3, 3),
    "batch_size": (2, 0.5),
    "table_learning_rate": (1 / 3, 3),
}
_VALUES: Mapping[str, Space] = {
    "ranker": {
        "model.reads_counts": (True, False),
        "model.taste": (0.0, 0.3, 1.0),
        "model.factorization": (True, False),
        "optimizer.average_half_life": (50.0,),
    },
    "retrieval": {
        "model.reads_counts": (True, False),
        "optimizer.average_half_life": (50.0,),
        "model.candidate_tower": ("mean", "mlp"),
    },
}


def usual_space(config: Config, role: str) -> dict[str, Sequence[Any]]:
    """Returns the settings that are tried where nobody names any.

    Args:
      config: The present settings, with numbers in place of `auto`.
      role: retrieval or ranker.
    """
    space: dict[str, Sequence[Any]] = dict(_VALUES[role])
    if role == "ranker" and not config.train_ranker.model.reads_counts:
        del space["model.taste"]  # which changes nothing then
    for name, factors in _FACTORS.items():
        present = value_of(config, role, name)
        space[name] = [_scaled(present, factor) for factor in factors]
    return space


def _scaled(number: float, factor: float) -> float:
    """A number times a factor: of a whole number at least 1, else with three digits.

    >>> _scaled(3, 0.5), _scaled(0.003, 1 / 3)
    (2, 0.001)
    """
    if isinstance(number, int):
        return max(round(number * factor), 1)
    return float(f"{number * factor:.3g}")


def parse(texts: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Returns the space that a command line names.

    Args:
      texts: `NAME=VALUE,VALUE` each, the values as in the configuration file.

    Raises:
      BadConfigurationError: If one is not of this form, or a name comes twice.

    >>> parse(["epochs=1,2", "optimizer.schedule=cosine"])
    {'epochs': [1, 2], 'optimizer.schedule': ['cosine']}
    """
    space: dict[str, Sequence[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        try:
            parsed = yaml.safe_load(f"[{values}]") if equals else []
        except yaml.YAMLError:
            parsed = []
        if not name or not parsed:
            raise BadConfigurationError(
                f"--try: expected NAME=VALUE,VALUE, as in epochs=1,2, got {text!r}."
            )
        if name in space:
            raise BadConfigurationError(
                f"--try: {name} is given twice: name all of its values at once."
            )
        space[name] = parsed
    return space


def value_of(config: Config, role: str, name: str) -> Any:  # noqa: ANN401 - settings share no type
    """Returns the present value of a setting.

    Raises:
      BadConfigurationError: If there is no such setting; names the nearest one.
    """
    value: Any = trainer_settings.section_of(config, role)
    path = name.split(".")
    for place, part in enumerate(path):
        if not isinstance(value, BaseModel) or part not in type(value).model_fields:
            section = f"train_{role}"
            near = names.nearest(Config, [section, *path[: place + 1]])
            meant = f"; `{near}` may be meant" if near else ""
            raise BadConfigurationError(f"--try: `{section}` has no setting `{name}`{meant}.")
        value = getattr(value, part)
    if isinstance(value, BaseModel):
        settings = ", ".join(f"{name}.{each}" for each in type(value).model_fields)
        raise BadConfigurationError(f"--try: `{name}` is a section; its settings are {settings}.")
    return value


def with_changes(config: Config, role: str, changes: Changes) -> Config:
    """Returns a configuration with other values in the section of a role.

    Raises:
      BadConfigurationError: If a value breaks a rule of the file.
    """
    section = trainer_settings.section_of(config, role)
    values = nested(changes, section.model_dump())
    try:
        changed = type(section).model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise BadConfigurationError(
            f"--try: {words(changes)}: {problem['msg']}, got {problem['input']!r:.80}."
        ) from error
    assert isinstance(changed, Section), "the class of a section is one"
    return config.model_copy(update={f"train_{role}": changed})


def nested(changes: Changes, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns changes as a file has them, within the values that are there.

    >>> nested({"epochs": 2, "model.taste": 0.3}, {"epochs": 1, "model": {"emb_size": 32}})
    {'epochs': 2, 'model': {'emb_size': 32, 'taste': 0.3}}
    """
    merged = dict(values or {})
    for name, value in changes.items():
        *sections, last = name.split(".")
        inner = merged
        for each in sections:
            inner[each] = dict(inner.get(each) or {})
            inner = inner[each]
        inner[last] = value
    return merged


def single_changes(config: Config, role: str, space: Space) -> Iterator[dict[str, Any]]:
    """Yields every value of a space that is not the present one, alone.

    First the first value of each setting, then the second of each, so that a budget that ends early
    has asked something of all.
    """
    others = {
        name: [value for value in values if value != value_of(config, role, name)]
        for name, values in space.items()
    }
    for place in range(max(map(len, others.values()), default=0)):
        for name, values in others.items():
            if place < len(values):
                yield {name: values[place]}


def words(changes: Changes) -> str:
    """Returns changes in a line.

    >>> words({"epochs": 2, "model.reads_counts": True})
    'epochs 2, model.reads_counts true'
    """
    if not changes:
        return "the present settings"
    return ", ".join(
        f"{name} {str(value).lower() if isinstance(value, bool) else value}"
        for name, value in changes.items()
    )
