"""The content of the quarantine, and whether it is too much.

A row is put there by the first rule that it breaks, and stays until the rule or the row is mended
and the day is validated again.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from components.rows.row_texts import RowTexts
from components.settings.config import Config
from components.settings.steps import ValidateConfig
from components.tables import places
from components.tables.masks import user_name
from schemas.rules import ERASED

_NUM_PLACES = 3  # examples per rule
_ADVICE = {
    "bad_surface": "; `validate_events.num_surfaces` says how many surfaces there are",
    "wrong_day": "; where the files are by local day, set `ingest_events.source.day_zone`",
}


@dataclass(frozen=True, kw_only=True)
class RuleReport:
    """One broken rule, without any value of a row."""

    name: str
    count: int
    expected: str
    places: Sequence[str]  # a few, as file:line


def summary(quarantined: pa.Table) -> list[RuleReport]:
    """Returns the broken rules, the most frequent first, without any value of a row.

    Args:
      quarantined: In the schema `QUARANTINED`.
    """
    reports = []
    for rule in quarantined["rule"].value_counts().to_pylist():
        rows = quarantined.filter(pc.field("rule") == rule["values"])
        examples = rows.slice(0, _NUM_PLACES).to_pylist()
        reports.append(
            RuleReport(
                name=rule["values"],
                count=rule["counts"],
                # The value that came is left out: it may be of a person.
                expected=examples[0]["detail"].split(", got ")[0],
                places=[_place(row) for row in examples if row["file"]],
            )
        )
    return _by_count(reports)


def merge(parts: Sequence[Sequence[RuleReport]]) -> list[RuleReport]:
    """Returns the broken rules of all parts of a quarantine, the most frequent first."""
    reports: dict[str, RuleReport] = {}
    for rule in itertools.chain(*parts):
        first = reports.setdefault(rule.name, rule)
        if first is not rule:
            places = [*first.places, *rule.places][:_NUM_PLACES]
            reports[rule.name] = replace(first, count=first.count + rule.count, places=places)
    return _by_count(reports.values())


def _by_count(reports: Iterable[RuleReport]) -> list[RuleReport]:
    return sorted(reports, key=lambda report: (-report.count, report.name))


def breaches(
    account: Mapping[str, int], rules: Sequence[RuleReport], limits: ValidateConfig
) -> list[str]:
    """Returns a sentence for each limit on shares that a day passes.

    Args:
      account: rows_in, duplicate, quarantined.
      rules: What is in quarantine.
      limits: The shares that are allowed.
    """
    rows_in, sentences = max(account["rows_in"], 1), []
    # That users want to be forgotten says nothing about the quality of the log.
    erased = sum(rule.count for rule in rules if rule.name == ERASED)
    for name, number, limit in (
        ("quarantined", account["quarantined"] - erased, limits.max_quarantined_share),
        ("duplicate", account["duplicate"], limits.max_duplicate_share),
    ):
        if number / rows_in > limit:
            sentences.append(
                f"{number:,} of {rows_in:,} rows ({number / rows_in:.2%}) are {name}; "
                f"`validate_events.max_{name}_share` allows {limit:.2%}"
            )
            if name == "quarantined":
                sentences += rule_sentences(rules)
    for rule in rules:
        budget = limits.budgets.get(rule.name)
        if budget is not None and rule.count / rows_in > budget:
            sentences.append(
                f"{rule.count:,} of {rows_in:,} rows ({rule.count / rows_in:.2%}) break the rule "
                f"{rule.name}; `validate_events.budgets` allows {budget:.2%}{_places(rule)}"
            )
    return sentences


def rule_sentences(rules: Sequence[RuleReport]) -> list[str]:
    """Returns a sentence for each rule that rows break, with the places of a few."""
    return [
        f"{rule.name}: {rule.count:,} rows, {rule.expected}{advice(rule.name)}{_places(rule)}"
        for rule in rules
    ]


def advice(rule_name: str) -> str:
    """Returns what to add to a sentence about a rule: the setting that helps, if there is one."""
    return _ADVICE.get(rule_name, "")


def _places(rule: RuleReport) -> str:
    return f"; for example {', '.join(rule.places)}" if rule.places else ""


def examples(quarantined: pa.Table, texts: RowTexts, config: Config) -> list[dict[str, object]]:
    """Returns rows for people to look at, with personal values masked.

    The user is a short hash unless `report.show_user_ids` says otherwise. What a row holds as it
    came is not shown, nor the wrong value of a column that may be the user's.

    Args:
      quarantined: A few rows in the schema `QUARANTINED`.
      texts: Of the ids that are text.
      config: What to show.
    """
    masked_rows = []
    users, posts = (_names(quarantined[name], name, texts) for name in ("user_id", "post_id"))
    for row, user, post in zip(quarantined.to_pylist(), users, posts, strict=True):
        masked_rows.append(
            {
                "rule": row["rule"],
                "place": _place(row) if row["file"] else "—",
                "detail": _mask_detail(row["detail"], config),
                "user": "—" if user is None else user_name(row["user_id"], user, config),
                "post_id": post,
                "surface": row["surface"],
                "dwell_seconds": row["dwell_seconds"],
                "shown_at": row["shown_at"] and f"{row['shown_at']:%Y-%m-%d %H:%M:%S}",
            }
        )
    return masked_rows


def _names(ids: pa.ChunkedArray, id_name: str, texts: RowTexts) -> list[str | None]:
    """Returns ids as the source writes them; None where there is none."""
    numbers = ids.fill_null(0).to_numpy()
    names = texts.read(id_name, numbers).names_of(numbers)
    return [
        None if number is None else name
        for name, number in zip(names, ids.to_pylist(), strict=True)
    ]


def _place(row: Mapping[str, Any]) -> str:
    return places.place(row["file"], row["line"], row.get("entry"))


def _mask_detail(detail: str, config: Config) -> str:
    """Returns a detail as it is only where the value that came cannot be of a person."""
    if config.report.show_user_ids:
        return detail
    column, _, rest = detail.partition(": ")
    expected, got, _ = rest.partition(", got ")
    is_harmless = column in ("post_id", "author_id", "surface", "dwell_seconds", "shown_at")
    return detail if is_harmless or not got else f"{column}: {expected}, got •••"
