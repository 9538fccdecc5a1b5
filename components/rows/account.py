"""The account of a day's rows: in = accepted + duplicate + quarantined + late, per day and file.

A step that reads what another step accounted for checks the account here before it goes on.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from components.errors import BadDataError
from components.store.artifacts import Artifact
from components.tables import bucket_files, data_files
from phoenix.data.days import DAY_MS, day_of_number

FATES = ("accepted", "duplicate", "quarantined", "late")  # of a row in validate_events
INGESTED_AS = ("events", "rejected", "late")  # the parts of ingest_events
NO_FILE = "(no file)"  # of a source that has none


def check_ingested(ingested: Artifact) -> None:
    """Refuses rows of ingest_events that its own account does not explain.

    Raises:
      BadDataError: Naming what does not add up.
    """
    facts = ingested.facts
    num_rejected = facts["rejected"] + facts["posts_rejected"]
    _refuse(
        ingested,
        [
            *problems(facts, facts.get("files", ()), INGESTED_AS),
            *_count_problems(ingested, data_files.EVENTS_FILE, facts["events"]),
            *_count_problems(ingested, data_files.REJECTED_FILE, num_rejected),
            *_count_problems(ingested, data_files.LATE_FILE, facts["late"]),
        ],
    )


def check_validated(validated: Artifact) -> None:
    """Refuses rows of validate_events that its own account does not explain.

    Raises:
      BadDataError: Naming what does not add up.
    """
    facts = validated.facts
    _refuse(
        validated,
        [
            *problems(facts, facts.get("files", ()), FATES),
            *_count_problems(validated, data_files.ACCEPTED_FILE, facts["accepted"]),
            *_count_problems(validated, data_files.QUARANTINED_FILE, facts["quarantined"]),
        ],
    )


def by_file(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Counts for each file of the source the rows that each table has of it, and all together.

    Args:
      tables: Name -> a table with a column `file`.

    >>> by_file({"events": pa.table({"file": ["a", "a"]}), "late": pa.table({"file": ["a"]})})
    [{'file': 'a', 'rows_in': 3, 'events': 2, 'late': 1}]
    """
    counts = {name: count_by_file(table) for name, table in tables.items()}
    total = sum(counts.values(), Counter())
    return [
        {"file": file, "rows_in": total[file], **{name: c[file] for name, c in counts.items()}}
        for file in sorted(total)
    ]


def by_day(late: pa.Table) -> dict[str, int]:
    """Returns the number of rows by the UTC day on which they were shown."""
    days = late["shown_at"].cast(pa.int64()).to_numpy() // DAY_MS
    numbers, counts = np.unique(days, return_counts=True)
    return {
        str(day_of_number(int(number))): int(count)
        for number, count in zip(numbers, counts, strict=True)
    }


def count_by_file(table: pa.Table) -> Counter[str]:
    """Returns the number of rows by the file that they came from."""
    counts = table["file"].fill_null(NO_FILE).value_counts()
    return Counter({each["values"]: each["counts"] for each in counts.to_pylist()})


def total(files: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Returns `rows_in` and the fates of all files together."""
    return {name: sum(file[name] for file in files) for name in ("rows_in", *FATES)}


def merge(parts: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Adds up accounts by file, each of some of the rows, in order of the names.

    >>> merge([[{"file": "b", "late": 1}], [{"file": "a", "late": 0}, {"file": "b", "late": 2}]])
    [{'file': 'a', 'late': 0}, {'file': 'b', 'late': 3}]
    """
    counts: dict[str, Counter[str]] = {}
    for each in itertools.chain(*parts):
        numbers = {name: number for name, number in each.items() if name != "file"}
        counts.setdefault(each["file"], Counter()).update(numbers)
    return [{"file": file, **counts[file]} for file in sorted(counts)]


def problems(
    account: Mapping[str, Any], files: Sequence[Mapping[str, Any]], parts: Sequence[str]
) -> list[str]:
    """Returns a sentence for each mistake of an account: of the day, of a file, or of both.

    Args:
      account: `rows_in` and the parts, of the day.
      files: `file`, `rows_in` and the parts, of each file.
      parts: The names of the parts that `rows_in` is the sum of.

    >>> problems({"rows_in": 3, "accepted": 2, "late": 0}, [], ["accepted", "late"])[0]
    '3 rows in, but 2 accepted + 0 late'
    """
    mistakes = [] if _adds_up(account, parts) else [_sum_text(account, parts)]
    mistakes += [
        f"{each['file']}: {_sum_text(each, parts)}" for each in files if not _adds_up(each, parts)
    ]
    # Rows that were swapped between two files leave every sum of the day as it was, and rows that
    # are missing from a file and from the day leave the sums of both; each check sees one of them.
    for name in ("rows_in", *parts):
        total = sum(each[name] for each in files)
        if total != account[name]:
            mistakes.append(f"{account[name]:,} {name}, but {total:,} by file")
    return mistakes


def _count_problems(artifact: Artifact, name: str, expected: int) -> list[str]:
    count = bucket_files.num_rows(artifact.paths(name))
    return [] if count == expected else [f"{expected:,} rows in {name}, which has {count:,}"]


def _adds_up(account: Mapping[str, Any], parts: Sequence[str]) -> bool:
    return account["rows_in"] == sum(account[name] for name in parts)


def _sum_text(account: Mapping[str, Any], parts: Sequence[str]) -> str:
    terms = " + ".join(f"{account[name]:,} {name}" for name in parts)
    return f"{account['rows_in']:,} rows in, but {terms}"


def _refuse(artifact: Artifact, problems: Sequence[str]) -> None:
    if problems:
        raise BadDataError(
            f"The account of {artifact.ref} is wrong: {'; '.join(problems)}. "
            f"Run `phoenix step {artifact.ref.kind} --day {artifact.ref.partition}` again; if it "
            "stays, this is a bug."
        )
