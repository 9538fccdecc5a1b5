"""Engines that evaluate the expressions of the data steps: DuckDB in this process, or Spark.

What is relational in a data step - rules, repeated rows, counts, order - is written once, in Ibis.
An engine takes rows in and hands Arrow out; nothing else of a step knows which one it is. The same
rows come out, in the same order, because every result is ordered by columns that tell rows apart.

Times are int64 milliseconds and sets of bits are int64 inside of an engine: Spark has neither
milliseconds nor unsigned numbers.
"""

# pyright: reportMissingImports=false
# (pyspark is an extra)

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from components.settings.steps import EngineConfig
from components.tables import spark

if TYPE_CHECKING:
    import ibis
    from pyspark.sql import DataFrame

BATCH_ROWS = 1 << 17  # about 8 MB of events
_numbers = itertools.count()  # of the tables of this process: a session of Spark is shared


class Engine(Protocol):
    """The place in which expressions are evaluated."""

    def table(self, rows: pa.Table) -> "ibis.Table":
        """Returns rows that this process holds, as a table of the engine."""
        ...

    def batches(self, expression: "ibis.Table") -> Iterator[pa.RecordBatch]:
        """Evaluates an expression; yields its rows in their order."""
        ...


def open_engine(config: EngineConfig) -> Engine:
    """Starts the configured engine.

    Raises:
      BadConfigurationError: If it is not there.
    """
    return _Spark(config) if config.name == "spark" else _DuckDB(config)


def rows(engine: Engine, expression: "ibis.Table") -> pa.Table:
    """Evaluates an expression; returns its rows in their order, in the types of the expression."""
    schema = expression.schema().to_pyarrow()
    batches = list(engine.batches(expression))
    # An engine may answer in wider types, each in its own; the expression says the one of all.
    return pa.Table.from_batches(batches).cast(schema) if batches else schema.empty_table()


class _DuckDB:
    """DuckDB in this process."""

    def __init__(self, config: EngineConfig) -> None:
        # Not when the module is imported: a step whose artifact is there needs no engine.
        import ibis

        limit = {} if config.memory_gb is None else {"memory_limit": f"{config.memory_gb}GB"}
        # Where it is made only when something must be put there. By itself DuckDB takes the folder
        # in which the process was started, which may be read-only, or somebody's.
        spill = Path(tempfile.gettempdir()) / f"phoenix-duckdb-{os.getpid()}-{next(_numbers)}"
        self._ibis: Any = ibis.duckdb.connect(temp_directory=str(spill), **limit)
        self._raw: Any = self._ibis.con

    def table(self, rows: pa.Table) -> "ibis.Table":
        """See `Engine`; the rows are not copied."""
        name = f"rows_{next(_numbers)}"
        self._raw.register(name, rows)
        return self._ibis.table(name)

    def batches(self, expression: "ibis.Table") -> Iterator[pa.RecordBatch]:
        """See `Engine`; at most `BATCH_ROWS` rows at a time."""
        yield from self._raw.sql(self._ibis.compile(expression)).to_arrow_reader(BATCH_ROWS)


class _Spark:
    """The Spark session of this process."""

    def __init__(self, config: EngineConfig) -> None:
        import ibis

        self._session = spark.session(config)
        self._ibis: Any = ibis.pyspark.connect(self._session)

    def table(self, rows: pa.Table) -> "ibis.Table":
        """See `Engine`."""
        return self._view(self._session.createDataFrame(rows))

    def batches(self, expression: "ibis.Table") -> Iterator[pa.RecordBatch]:
        """See `Engine`; the whole result comes to this process first."""
        result = self._session.sql(self._ibis.compile(expression)).toArrow()
        yield from result.to_batches(max_chunksize=BATCH_ROWS)

    def _view(self, frame: "DataFrame") -> "ibis.Table":
        # Ibis knows tables of Spark by name alone.
        name = f"rows_{next(_numbers)}"
        frame.createOrReplaceTempView(name)
        return self._ibis.table(name)
