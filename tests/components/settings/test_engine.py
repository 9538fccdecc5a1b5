import pytest
from pydantic import ValidationError

from components.settings.engine import EngineConfig


def test_an_engine_is_one_of_two() -> None:
    assert EngineConfig().name == "duckdb"
    with pytest.raises(ValidationError, match="'duckdb' or 'spark'"):
        EngineConfig.model_validate({"name": "polars"})
