"""Runs the expectations of a table with Great Expectations.

The context lives in memory and the suite is built in code, so that parallel runs cannot disturb one
another, and no value of a row leaves this module.
"""

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.expectations import Expectation

if TYPE_CHECKING:
    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )

_SUCCESS_KEYS = ("element_count", "unexpected_count", "missing_count", "observed_value")


def check(
    table: pa.Table, expectations: Sequence[Expectation], *, name: str, day: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """Holds a table against its expectations.

    Args:
      table: The rows.
      expectations: What should hold.
      name: Name of the suite.
      day: Name of the run.

    Returns:
      One JSON object per expectation (name, arguments, severity, success, counts), free of the
      clock; and the sections of the Data Docs page as HTML.

    Raises:
      RuntimeError: If an expectation cannot be checked at all.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read when it is imported
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    frames = context.data_sources.add_pandas("day").add_dataframe_asset(name)
    suite = gx.ExpectationSuite(
        name=name,
        expectations=[getattr(gxe, e.type)(**e.kwargs, severity=e.severity) for e in expectations],
    )
    definition = gx.ValidationDefinition(
        name=name,
        data=frames.add_batch_definition_whole_dataframe("whole"),
        suite=context.suites.add(suite),
    )
    with warnings.catch_warnings():
        # Great Expectations calls what pandas is about to drop; its results are not affected.
        warnings.simplefilter("ignore", DeprecationWarning)
        result = context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": table.to_pandas()},
            result_format="BASIC",
            run_id=RunIdentifier(run_name=day),
        )
    for one in result.results:
        _refuse_exception(one)
        # Examples of wrong values are personal data; their place is the quarantine.
        one.result.pop("partial_unexpected_list", None)
    return sorted((_plain(one) for one in result.results), key=_order), _sections(result)


def _refuse_exception(result: "ExpectationValidationResult") -> None:
    found: Any = result.exception_info or {}
    # Either the exception itself, or one for each metric that it kept from being computed.
    for one in [found] if "raised_exception" in found else found.values():
        if one["raised_exception"]:
            what = result.to_json_dict()["expectation_config"]
            raise RuntimeError(f"{what} could not be checked: {one['exception_message']}")


def _plain(result: "ExpectationValidationResult") -> dict[str, Any]:
    outcome: Any = result.to_json_dict()
    kwargs = dict(outcome["expectation_config"]["kwargs"])
    kwargs.pop("batch_id", None)
    found = outcome["result"]
    return {
        "expectation": outcome["expectation_config"]["type"],
        "column": kwargs.get("column"),
        "arguments": kwargs,
        "severity": outcome["expectation_config"]["severity"],
        "success": bool(result.success),
        **{key: found[key] for key in _SUCCESS_KEYS if key in found},
    }


def _order(result: dict[str, Any]) -> tuple[bool, str, str]:
    return (result["success"], result["column"] or "", result["expectation"])


def _sections(result: "ExpectationSuiteValidationResult") -> list[str]:
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaSectionView

    page = ValidationResultsPageRenderer(run_info_at_end=True).render(result)
    view = DefaultJinjaSectionView()
    # The first section repeats our own summary, the last one tells the time of the run.
    return [
        view.render({"section": section.to_json_dict(), "section_loop": {"index": number}})
        for number, section in enumerate(page.sections[1:-1], start=1)
    ]
