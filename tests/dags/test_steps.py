"""A step of the contract as a task, and the fields of the forms."""

from dataclasses import replace

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from components import contract
from wiring import steps

CONFIG = "/srv/phoenix.yaml"


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    changed = replace(steps.SETTINGS, config=CONFIG)
    monkeypatch.setattr(steps, "SETTINGS", changed)
    return changed


def test_a_task_has_the_arguments_of_the_contract_and_goes_on_when_unchanged():
    task = steps.task(contract.EVALUATE_MODELS, force="{{ params.force or '' }}")
    assert task.module == "components.evaluate_models"
    assert task.arguments == [
        *("--config", CONFIG, "--day", "{{ partition_key or params.day or '' }}"),
        *("--force", "{{ params.force or '' }}", "--unchanged-ok"),
    ]


def test_an_option_that_the_contract_does_not_know_is_refused():
    with pytest.raises(ValueError, match="frobnicate"):
        steps.task(contract.TRAIN_RANKER, frobnicate="yes")


def test_every_shard_is_a_task_with_its_own_arguments():
    with DAG("feeds"):
        task = steps.mapped_task(contract.MATERIALIZE_FEEDS, over=steps.shards(3))
    mapped = task.expand_input.value["arguments"]
    assert [words[words.index("--shard") + 1] for words in mapped] == ["0", "1", "2"]
    assert {words[words.index("--num-shards") + 1] for words in mapped} == {"3"}


@pytest.mark.parametrize("day", ["2026-02-30", "20260101", "tomorrow", 20260101])
def test_the_form_refuses_what_is_no_day(day):
    field = steps.form()["day"]
    with pytest.raises(ParamValidationError):
        field.resolve(value=day)


def test_the_form_takes_a_day_or_none():
    field = steps.form()["day"]
    assert (field.resolve(value="2026-01-01"), field.resolve(value=None)) == ("2026-01-01", None)


def test_a_field_offers_the_choices_of_the_contract():
    field = steps.option_param(contract.TRAIN_RANKER, "retrain", section="Training")
    assert field.schema["enum"] == ["auto", "always", "never"]
    assert field.resolve() == "auto"
    with pytest.raises(ParamValidationError):
        field.resolve(value="sometimes")


def test_a_field_without_a_default_may_stay_empty():
    field = steps.option_param(contract.EVALUATE_MODELS, "force")
    assert field.resolve() is None
    assert field.resolve(value="keep") == "keep"
