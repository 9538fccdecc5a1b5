"""Runs the expectations of a table with Great Expectations, on pandas or on Spark.

The context lives in memory and the suite is built in code, so that parallel runs cannot disturb one
another, and no value of a row leaves this module.
"""

import copy
import importlib
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from components.settings.steps import EngineConfig
from components.tables import spark
from schemas.expectations import Expectation

if TYPE_CHECKING:
    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )

_SUCCESS_KEYS = ("element_count", "unexpected_count", "missing_count", "observed_value")
_ROW_COUNT = "expect_table_row_count_to_be_between"
_UNIQUE = "expect_column_values_to_be_unique"
_SEVERITIES = ("critical", "warning", "info")


class SuiteResult(NamedTuple):
    """The results of the expectations of a table."""

    results: list[dict[str, Any]]  # worst first; arguments, severity, success, counts, no clock
    validation: "ExpectationSuiteValidationResult"  # without any value of a row

    def sections(self) -> list[str]:
        """Returns the sections of a page of Data Docs, as HTML."""
        from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
        from great_expectations.render.view.view import DefaultJinjaSectionView

        page = ValidationResultsPageRenderer(run_info_at_end=True).render(self.validation)
        view = DefaultJinjaSectionView()
        # The first section repeats our own summary, the last one tells the time of the run.
        return [
            view.render({"section": section.to_json_dict(), "section_loop": {"index": number}})
            for number, section in enumerate(page.sections[1:-1], start=1)
        ]


def load() -> None:
    """Imports Great Expectations, which takes seconds: in another thread while rows are read."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read when it is imported
    importlib.import_module("great_expectations")


def check(
    table: pa.Table,
    expectations: Sequence[Expectation],
    *,
    name: str,
    day: str,
    engine: EngineConfig,
) -> SuiteResult:
    """Holds a table against its expectations.

    Args:
      table: The rows.
      expectations: What should hold.
      name: Name of the suite.
      day: Name of the run.
      engine: Where they are checked; pandas does it beside DuckDB.

    Raises:
      BadConfigurationError: If the engine is not there.
      RuntimeError: If an expectation cannot be checked at all.
    """
    load()
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # Its module tells of a folder for pages that are never written, and sets its own level.
    logging.getLogger(ProgressBarsConfig.__module__).setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    if engine.name == "spark":
        frame: Any = spark.session(engine).createDataFrame(_comparable(table))
        source = context.data_sources.add_spark("day")
    else:
        # Each column as it lies in memory: side by side in one block, all would be copied.
        frame = _comparable(table).to_pandas(split_blocks=True)
        source = context.data_sources.add_pandas("day")
    suite = gx.ExpectationSuite(
        name=name,
        expectations=[
            getattr(gxe, e.type)(**e.kwargs, severity=e.severity, meta={"kind": e.kind})
            for e in expectations
        ],
    )
    definition = gx.ValidationDefinition(
        name=name,
        data=source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole"),
        suite=context.suites.add(suite),
    )
    with warnings.catch_warnings():
        # Great Expectations calls what pandas is about to drop; its results are not affected.
        warnings.simplefilter("ignore", DeprecationWarning)
        result = context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": frame},
            result_format="BASIC",
            run_id=RunIdentifier(run_name=day),
        )
    for one in result.results:
        _refuse_exception(one)
        # Examples of wrong values are personal data; their place is the quarantine.
        one.result.pop("partial_unexpected_list", None)
    return _suite_result(result)


def merge(parts: Sequence[SuiteResult], num_shared: Mapping[str, int] = {}) -> SuiteResult:
    """Returns the results of the rows of all parts, from those of each.

    Args:
      parts: Results of the same expectations, at least one.
      num_shared: By column of which every value should be there once: rows whose value is, in
        their part, and is in another part, too.
    """
    if len(parts) == 1 and not any(num_shared.values()):
        return parts[0]
    whole = copy.deepcopy(parts[0].validation)
    for number, merged in enumerate(whole.results):
        _merge_results(merged, [part.validation.results[number] for part in parts], num_shared)
    whole.success = all(bool(one.success) for one in whole.results)
    return _suite_result(whole)


def _merge_results(
    merged: "ExpectationValidationResult",
    parts: Sequence["ExpectationValidationResult"],
    num_shared: Mapping[str, int],
) -> None:
    """Makes of the result of the first part that of all."""
    outcome: dict[str, Any] = merged.result
    merged.success = all(bool(part.success) for part in parts)
    what: Any = merged.expectation_config
    if what.type == _ROW_COUNT:
        count = sum(part.result["observed_value"] for part in parts)
        outcome["observed_value"], merged.success = count, count >= what.kwargs["min_value"]
    for name in ("element_count", "unexpected_count", "missing_count"):
        if name in outcome:
            outcome[name] = sum(part.result[name] for part in parts)
    if what.type == _UNIQUE:
        shared = num_shared.get(what.kwargs["column"], 0)
        outcome["unexpected_count"] += shared
        merged.success = merged.success and not shared
    if "unexpected_count" in outcome:
        count, unexpected = outcome["element_count"], outcome["unexpected_count"]
        # Of missing values themselves nobody counts how many are missing.
        filled = count - outcome.get("missing_count", 0)
        shares = {
            "unexpected_percent": _percent(unexpected, filled),
            "missing_percent": _percent(count - filled, count),
            "unexpected_percent_total": _percent(unexpected, count),
            "unexpected_percent_nonmissing": _percent(unexpected, filled),
        }
        outcome.update({name: share for name, share in shares.items() if name in outcome})


def _percent(part: int, whole: int) -> float | None:
    return part / whole * 100 if whole else None


def _suite_result(validation: "ExpectationSuiteValidationResult") -> SuiteResult:
    return SuiteResult(
        sorted((_plain_result(one) for one in validation.results), key=order), validation
    )


def order(result: dict[str, Any]) -> tuple[bool, int, str, str]:
    """Returns the key by which results are sorted, the worst first."""
    severity = _SEVERITIES.index(result["severity"])
    return (result["success"], severity, result["column"] or "", result["expectation"])


def _comparable(table: pa.Table) -> pa.Table:
    """Returns the same values in the widest types, which both engines compare without a detour.

    A bit set with its highest bit becomes a negative number, which no range of bits allows.
    """
    columns = []
    for column in table.columns:
        if pa.types.is_uint64(column.type):
            column = pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks])
        elif pa.types.is_integer(column.type):
            column = column.cast(pa.int64())
        elif pa.types.is_floating(column.type):
            column = column.cast(pa.float64())
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def _refuse_exception(result: "ExpectationValidationResult") -> None:
    information: Any = result.exception_info or {}
    # Either the exception itself, or one for each metric that it kept from being computed.
    is_single = "raised_exception" in information
    for one in [information] if is_single else information.values():
        if one["raised_exception"]:
            what = result.to_json_dict()["expectation_config"]
            raise RuntimeError(f"{what} could not be checked: {one['exception_message']}")


def _plain_result(result: "ExpectationValidationResult") -> dict[str, Any]:
    content: Any = result.to_json_dict()
    config, outcome = content["expectation_config"], content["result"]
    kwargs = dict(config["kwargs"])
    kwargs.pop("batch_id", None)  # names our data source, not the expectation
    return {
        "expectation": config["type"],
        "kind": config["meta"]["kind"],
        "column": kwargs.get("column"),
        "arguments": kwargs,
        "severity": config["severity"],
        "success": bool(result.success),
        **{key: outcome[key] for key in _SUCCESS_KEYS if key in outcome},
    }
