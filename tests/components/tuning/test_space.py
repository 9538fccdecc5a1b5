"""Settings to try are named as in the file, and what is none of them is refused by name."""

from pathlib import Path

import pytest

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.training import auto
from components.training.log_rules import LogSize
from components.tuning import space as spaces
from tests.components.training.log_store import config_of


def _config(folder: Path, role: str = "ranker", **sections: object) -> Config:
    config = config_of(folder, **sections)
    return auto.with_numbers(config, role, auto.numbers_for(config, role, LogSize(rows=5_000)))


@pytest.mark.parametrize("role", ["ranker", "retrieval"])
def test_every_setting_of_the_usual_space_can_be_trained_with(role: str, tmp_path) -> None:
    from components.training.check import check

    config = _config(tmp_path, role)
    space = spaces.usual_space(config, role)
    changes = list(spaces.single_changes(config, role, space))
    assert {name for each in changes for name in each} == space.keys()
    for each in changes:
        changed = spaces.with_changes(config, role, each)
        check(changed, role)
        ((name, value),) = each.items()
        assert spaces.value_of(changed, role, name) == value
        assert spaces.value_of(config, role, name) != value


def test_taste_is_tried_beside_counts_alone(tmp_path) -> None:
    counting = _config(tmp_path, train_ranker={"model": {"reads_counts": True}})
    assert "model.taste" in spaces.usual_space(counting, "ranker")
    assert "model.taste" not in spaces.usual_space(_config(tmp_path), "ranker")


def test_the_first_value_of_all_settings_comes_before_the_second_of_any(tmp_path) -> None:
    config = _config(tmp_path, train_ranker={"epochs": 2, "batch_size": 32})
    space = {"epochs": [2, 1, 4], "batch_size": [64, 128]}
    assert list(spaces.single_changes(config, "ranker", space)) == [
        {"epochs": 1},
        {"batch_size": 64},
        {"epochs": 4},
        {"batch_size": 128},
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("epochs", "expected NAME=VALUE,VALUE, as in epochs=1,2, got 'epochs'"),
        ("epochs=", "expected NAME=VALUE,VALUE"),
        ("=3", "expected NAME=VALUE,VALUE"),
        ("epochs=[1", "expected NAME=VALUE,VALUE"),
    ],
)
def test_what_is_no_setting_with_values_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadConfigurationError, match=complaint):
        spaces.parse([text])


def test_a_setting_is_named_once() -> None:
    with pytest.raises(BadConfigurationError, match="epochs is given twice"):
        spaces.parse(["epochs=1", "epochs=2"])


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("epoch", "`train_ranker` has no setting `epoch`; `epochs` may be meant"),
        ("model.tast", "no setting `model.tast`; `taste` may be meant"),
        ("epochs.first", "no setting `epochs.first`"),
        ("optimizer", "`optimizer` is a section; its settings are optimizer.name, "),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, complaint: str, tmp_path) -> None:
    with pytest.raises(BadConfigurationError, match=complaint):
        list(spaces.single_changes(_config(tmp_path), "ranker", {name: [1]}))


def test_a_value_that_the_file_could_not_have_is_refused(tmp_path) -> None:
    with pytest.raises(
        BadConfigurationError, match=r"epochs 0: .*greater than or equal to 1, got "
    ):
        spaces.with_changes(_config(tmp_path), "ranker", {"epochs": 0})
