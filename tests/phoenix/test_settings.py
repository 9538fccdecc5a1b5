"""A setting is declared once, and its declaration is what checks it."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from phoenix.config import ConfigError
from phoenix.settings import Settings, parts_of, setting, settings_of


@dataclass(frozen=True, kw_only=True)
class Part(Settings):
    share: float = setting(0.5, "A share.", ge=0, lt=1)
    sizes: tuple[int, ...] = setting((), "Sizes.", ge=1, le=9)


@dataclass(frozen=True, kw_only=True)
class Whole(Settings):
    internal: int = 0
    count: int = setting(3, "A count.", ge=1, le=9)
    least: int = setting(0, "A count from 0 on.", ge=0)
    rate: float | None = setting(None, "A rate.", gt=0)
    mode: Literal["min", "max"] = setting("min", "A direction.")
    name: str = setting("a1", "A name.", pattern="^a[0-9]$")
    is_on: bool = setting(False, "A switch.")
    options: dict[str, float | bool] = setting({}, "Numbers and switches.")
    part: Part = field(default_factory=Part)

    def __post_init__(self) -> None:
        super().__post_init__()
        share = self.part.share
        self.check(
            share < self.count / 4,
            "part",
            "share",
            expected=f"less than a quarter of `count` {self.count}",
            got=share,
        )


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("count", 0, "an integer in [1, 9]"),
        ("count", 10, "an integer in [1, 9]"),
        ("count", 1.0, "an integer in [1, 9]"),
        ("count", True, "an integer in [1, 9]"),
        ("least", -1, "an integer >= 0"),
        ("rate", 0.0, "None or a number > 0"),
        ("rate", float("nan"), "None or a number > 0"),
        ("mode", "up", "one of 'min', 'max'"),
        ("name", "b1", "a text that matches ^a[0-9]$"),
        ("is_on", 1, "true or false"),
        ("options", {"b1": "x"}, "a mapping, each value a number or true or false"),
        ("part", 3, "a Part"),
    ],
)
def test_a_value_out_of_range_names_field_expectation_and_value(field, value, expected):
    with pytest.raises(ConfigError) as refused:
        Whole(**{field: value})
    assert str(refused.value) == f"`Whole.{field}`: expected {expected}, got {value!r}."
    assert refused.value.field == (field,)
    assert refused.value.problem == f"expected {expected}, got {value!r}."


def test_values_at_the_ends_of_a_range_are_in_it_where_it_is_closed():
    assert (Whole(count=9).count, Part(share=0).share, Part(sizes=[1]).sizes) == (9, 0, (1,))
    with pytest.raises(ConfigError, match=r"Part\.share`: expected a number in \[0, 1\)"):
        Part(share=1)


def test_every_entry_of_a_sequence_is_in_the_range():
    assert Part(sizes=[1, 9]).sizes == (1, 9)
    with pytest.raises(ConfigError, match=r"a sequence, each entry an integer in \[1, 9\]"):
        Part(sizes=[1, 10])


def test_the_path_of_a_field_starts_where_the_settings_are_read():
    values = Whole().to_dict()
    with pytest.raises(ConfigError, match=r"^`Whole\.part\.share`: expected a number") as refused:
        Whole.from_dict({**values, "part": {"share": 2, "sizes": []}})
    assert refused.value.field == ("part", "share")
    with pytest.raises(ConfigError, match="other"):
        Whole.from_dict({**values, "other": 1})


def test_a_rule_between_fields_names_the_path_of_one():
    with pytest.raises(ConfigError, match=r"part\.share`: .* quarter of `count` 1") as refused:
        Whole(count=1)
    assert refused.value.field == ("part", "share")


def test_settings_and_parts_are_listed_in_the_order_of_the_class():
    names = ["count", "least", "rate", "mode", "name", "is_on", "options"]
    assert [each.name for each in settings_of(Whole)] == names
    assert parts_of(Whole) == {"part": Part}
    assert settings_of(Whole)[0].help == "A count."


def test_settings_survive_their_dictionary():
    whole = Whole(options={"b": True}, part=Part(sizes=(1, 2)))
    assert Whole.from_dict(whole.to_dict()) == whole


def test_defaults_are_not_shared():
    Whole().options["b"] = 1.0
    assert Whole().options == {}
