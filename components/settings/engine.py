"""The setting of the engine that computes the data steps."""

from typing import Literal

from pydantic import Field

from components.settings.section import Section


class EngineConfig(Section):
    """The engine that judges, counts and checks rows; what comes out is the same."""

    name: Literal["duckdb", "spark"] = Field(
        default="duckdb", description="DuckDB in the process of the step, or a Spark."
    )
    memory_gb: float | None = Field(
        default=None,
        gt=0,
        description="With `name: duckdb`: its memory, beyond which it goes on on disk; by default "
        "80 % of the machine's. What a step holds itself is not in it.",
    )
    spark_master: str = Field(default="local[*]", description="With `name: spark`: which Spark.")
    spark_options: dict[str, str] = Field(
        default={}, description="Properties of Spark by name, such as `spark.driver.memory`."
    )
