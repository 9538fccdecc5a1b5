"""The sections of data steps, gate, release and pages."""

import pytest
from pydantic import ValidationError

from components.settings.steps import EngineConfig, IngestConfig, ValidateConfig


def test_a_budget_is_of_a_rule_that_there_is() -> None:
    assert ValidateConfig(budgets={"bad_surface": 0.1}).budgets == {"bad_surface": 0.1}
    with pytest.raises(ValidationError, match=r"'nosuch' is no rule; the rules are malformed_row"):
        ValidateConfig(budgets={"nosuch": 0.1})
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        ValidateConfig(budgets={"bad_surface": 1.5})


def test_a_source_is_required() -> None:
    with pytest.raises(ValidationError, match="source"):
        IngestConfig.model_validate({})


def test_an_engine_is_one_of_two() -> None:
    assert EngineConfig().name == "duckdb"
    with pytest.raises(ValidationError, match="'duckdb' or 'spark'"):
        EngineConfig.model_validate({"name": "polars"})
