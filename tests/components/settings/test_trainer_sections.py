"""The sections of the file are the settings of the trainer: a name, a range, a help stand once."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from components.settings.section import Section
from components.settings.trainer_sections import trainer_values, with_settings_of
from components.settings.training import RankerTrainingConfig, RetrievalTrainingConfig
from phoenix.config import ConfigError
from phoenix.settings import Setting, Settings, parts_of, settings_of
from phoenix.train.config import ComputeConfig, RankerTrainConfig, RetrievalTrainConfig

PAIRS: list[tuple[type[Section], type[Settings]]] = [
    (RankerTrainingConfig, RankerTrainConfig),
    (RankerTrainingConfig, ComputeConfig),
    (RetrievalTrainingConfig, RetrievalTrainConfig),
    (RetrievalTrainingConfig, ComputeConfig),
]

AUTO = {("epochs",), ("batch_size",), ("learning_rate",)}


def settings_in(kind: type[Settings], path: tuple[str, ...] = ()) -> Iterator[tuple]:
    for setting in settings_of(kind):
        yield (*path, setting.name), setting
    for name, part in parts_of(kind).items():
        yield from settings_in(part, (*path, name))


CASES = [(section, *case) for section, kind in PAIRS for case in settings_in(kind)]


def limits_of(rules: list) -> dict[str, Any]:
    names = ("ge", "gt", "le", "lt", "pattern")
    return {
        name: getattr(rule, name)
        for rule in rules
        for name in names
        if getattr(rule, name, None) is not None
    }


def field_at(section: type[BaseModel], path: tuple[str, ...]) -> Any:
    for name in path[:-1]:
        inner = section.model_fields[name].annotation
        assert isinstance(inner, type)
        section = inner
    return section.model_fields[path[-1]]


def values_with(path: tuple[str, ...], value: object) -> dict[str, Any]:
    values = value
    for name in reversed(path):
        values = {name: values}
    assert isinstance(values, dict)
    return values


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    inner = {
        name: merged(values[name], each)
        for name, each in changes.items()
        if isinstance(values[name], dict) and isinstance(each, dict)
    }
    return {**values, **changes, **inner}


@pytest.mark.parametrize(("section", "path", "setting"), CASES)
def test_every_setting_of_the_trainer_is_in_the_file(section, path, setting: Setting) -> None:
    field = field_at(section, path)
    default = "auto" if path in AUTO else setting.default
    assert (field.default, field.description) == (default, setting.help)
    rules = field.metadata
    if not rules and setting.limits:  # of the entries of a list, or of the number beside `auto`
        rules = field.annotation.__args__[0].__metadata__[0].metadata
    assert limits_of(rules) == setting.limits


BEYOND = {"ge": -1, "gt": 0, "le": 1, "lt": 0, "pattern": " or nothing"}


def wrong_values(setting: Setting) -> list[object]:
    """Values next to the range; of a setting without one, something of no type that fits."""
    values = [limit + BEYOND[rule] for rule, limit in setting.limits.items()]
    return [(value,) if isinstance(setting.default, tuple) else value for value in values] or [[]]


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        (kind, path, value)
        for kind in (RankerTrainConfig, RetrievalTrainConfig, ComputeConfig)
        for path, setting in settings_in(kind)
        for value in wrong_values(setting)
    ],
)
def test_file_and_trainer_refuse_what_is_out_of_range_by_the_same_path(kind, path, value) -> None:
    (section, *_) = [section for section, each in PAIRS if each is kind]
    values = values_with(path, value)
    with pytest.raises(ValidationError) as refused:
        section.model_validate(values)
    place = refused.value.errors()[0]["loc"]
    assert place[: len(path)] == path
    with pytest.raises(ConfigError) as answered:
        kind.from_dict(merged(kind().to_dict(), values))
    assert answered.value.field == path


def test_values_of_the_trainer_are_taken_out_of_a_section() -> None:
    section = RankerTrainingConfig.model_validate({"epochs": 3, "input": {"prefetch": 4}})
    values = section.model_dump()
    assert trainer_values(ComputeConfig, values)["input"] == {"prefetch": 4}
    values = trainer_values(RankerTrainConfig, values)
    assert (values["epochs"], values["input"]["shuffle_windows"]) == (3, 65_536)
    assert "model" not in values
    assert "prefetch" not in values["input"]


def test_a_rule_between_fields_is_that_of_the_trainer() -> None:
    with pytest.raises(ValidationError) as refused:
        RetrievalTrainingConfig.model_validate({"negatives": {"in_batch": False}})
    (problem,) = refused.value.errors()
    assert problem["loc"] == ("negatives",)
    assert "`in_batch`: expected true where there are no other negatives" in problem["msg"]


def test_a_field_of_the_section_itself_stays_as_it_is() -> None:
    @with_settings_of(ComputeConfig)
    class Own(Section):
        """A section with a field of its own."""

        input: int = 3

    assert Own.model_validate({"devices": {"num_data_shards": 2}}).input == 3
    assert list(Own.model_fields) == ["input", "devices"]
    assert Own.__doc__ == "A section with a field of its own."
