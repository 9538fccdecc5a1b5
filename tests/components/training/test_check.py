"""What the trainer cannot do is refused before any data is read, by the name in the file."""

import re

import pytest

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.training import check


def config_of(**sections) -> Config:
    return Config.model_validate(
        {
            "store": "memory://training",
            "first_day": "2026-01-01",
            "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
            "ingest_events": {"source": {"layout": "synthetic"}},
            **sections,
        }
    )


NEXT_ITEM = {"objective": "next_item", "model": {"user_pooling": "last"}}


@pytest.mark.parametrize(
    ("role", "settings", "complaint"),
    [
        ("ranker", {"checkpoints": {"result": "best"}}, "`checkpoints.result`: expected last or"),
        (
            "ranker",
            {"epochs": 1, "checkpoints": {"result": "epoch_2"}},
            "`checkpoints.result`: .* epoch_1, got",
        ),
        ("ranker", {"validation": {"patience": 2}}, "`validation.patience`: .* `validation.fract"),
        (
            "ranker",
            {"batch_size": 256, "optimizer": {"accumulation_steps": 3}},
            "`optimizer.accumulation_steps`: expected a divisor of `batch_size` 256, got 3",
        ),
        (
            "retrieval",
            {**NEXT_ITEM, "optimizer": {"accumulation_steps": 2}},
            "`optimizer.accumulation_steps`: expected 1 where `objective: next_item` is set",
        ),
        ("ranker", {"optimizer": {"name": "adamx"}}, "`optimizer.name`: .* got 'adamx'"),
        ("ranker", {"optimizer": {"name": "lbfgs"}}, "`optimizer.name`: .* `optimizer.options`"),
        (
            "retrieval",
            {"optimizer": {"name": "sgd", "options": {"b1": 0.9}}},
            r"`optimizer.options`: expected arguments of optax.sgd: .*, got \['b1'\]",
        ),
        (
            "ranker",
            {"batch_size": 9, "devices": {"num_data_shards": 2}},
            "`batch_size`: .* `devices.num_data_shards` x `optimizer.accumulation_steps`, 2, got 9",
        ),
        (
            "ranker",
            {"devices": {"device": "tpu"}},
            "`devices.device`: expected one of .* got 'tpu'",
        ),
        (
            "retrieval",
            {"devices": {"num_data_shards": 64, "num_table_shards": 64}},
            "`devices.num_table_shards`: .* with `devices.num_data_shards` up to [0-9]+, the ",
        ),
    ],
)
def test_a_combination_that_cannot_be_trained_is_named_as_in_the_file(
    role: str, settings: dict, complaint: str
) -> None:
    config = config_of(**{f"train_{role}": settings})
    with pytest.raises(BadConfigurationError) as refused:
        check.check(config, role)
    assert re.search(rf"^`train_{role}`: .*{complaint}", str(refused.value))


@pytest.mark.parametrize("role", ["retrieval", "ranker"])
def test_what_can_be_trained_passes(role: str) -> None:
    check.check(config_of(), role)
    check.check(config_of(train_retrieval=NEXT_ITEM), role)
    muon = {"optimizer": {"name": "contrib.muon"}, "epochs": 2}
    check.check(config_of(**{f"train_{role}": muon}), role)
