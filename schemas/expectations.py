"""The expectations of a quality suite for a table, derived from its columns, as plain data.

An expectation is named as in Great Expectations, which this layer does not import: a component
turns the list into a suite.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa

from schemas.columns import Bound, Column, Table

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True)
class Expectation:
    """One statement about a table that should hold."""

    type: str  # class name in Great Expectations
    kwargs: dict[str, Any] = field(default_factory=dict)
    severity: Severity = "critical"  # a critical one that fails stops the day
    kind: str = "contract"  # the name under which a deployment sets the severity


def expectations(table: Table, *, min_rows: int = 0) -> list[Expectation]:
    """Returns the expectations that follow from the columns of a table.

    Args:
      table: With the ranges of the deployment and the day, see `Table.bounded`.
      min_rows: Fewer rows are a failure.
    """
    columns = Expectation("ExpectTableColumnsToMatchOrderedList", {"column_list": table.names})
    rows = Expectation("ExpectTableRowCountToBeBetween", {"min_value": min_rows})
    return [columns, rows, *(e for column in table.columns for e in _of_column(column))]


def pair_in_order(earlier: str, later: str) -> Expectation:
    """Returns the expectation that one time of a row is never after another."""
    return Expectation(
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": later, "column_B": earlier, "or_equal": True},
        "warning",
        "arrival_order",
    )


def measured_between(
    metric: str, low: float | None, high: float | None, *, kind: str
) -> Expectation:
    """Returns the expectation that a number measured of a day lies between two limits.

    Args:
      metric: Column of the table of one row that holds the numbers of a day.
      low: Smallest good value; None is no limit.
      high: Largest good value; None is no limit.
      kind: The name under which a deployment sets the severity.
    """
    # The maximum of one row is that row, and the result shows it.
    return Expectation(
        "ExpectColumnMaxToBeBetween",
        {"column": metric, "min_value": low, "max_value": high},
        "warning",
        kind,
    )


def with_severities(
    statements: Sequence[Expectation], severities: Mapping[str, str]
) -> list[Expectation]:
    """Returns the expectations with the severities of a deployment, without those to ignore.

    Args:
      statements: The expectations, with the severities of their declaration.
      severities: Kind -> critical, warning, info or ignore.

    >>> order = pair_in_order("shown_at", "ingested_at")
    >>> [each.severity for each in with_severities([order], {"arrival_order": "critical"})]
    ['critical']
    >>> with_severities([order], {"arrival_order": "ignore"})
    []
    """
    return [
        replace(each, severity=severities[each.kind])
        for each in statements
        if severities[each.kind] != "ignore"
    ]


def _of_column(column: Column) -> list[Expectation]:
    subject = {"column": column.name}
    statements = []
    if not column.is_nullable:
        statements.append(Expectation("ExpectColumnValuesToNotBeNull", subject))
    if column.is_unique:
        statements.append(Expectation("ExpectColumnValuesToBeUnique", subject))
    bounds = {"min_value": column.minimum, "max_value": column.maximum}
    if any(bound is not None for bound in bounds.values()):
        limits = {name: _limit(column, bound) for name, bound in bounds.items()}
        statements.append(Expectation("ExpectColumnValuesToBeBetween", subject | limits))
    return statements


def _limit(column: Column, bound: Bound | None) -> Bound | datetime.datetime | None:
    # Bounds of times are milliseconds in a declaration; an engine compares times with times.
    if bound is None or not pa.types.is_timestamp(column.type):
        return bound
    return datetime.datetime.fromtimestamp(bound / 1000, datetime.UTC)
