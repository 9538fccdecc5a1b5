"""The account of a day's rows: in = accepted + duplicate + quarantined + late, per day and file.

A step that reads what another step accounted for checks the account here before it goes on.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.errors import BadDataError
from components.store.artifacts import Artifact
from components.tables import data_files
from phoenix.data.days import DAY_MS, day_of_number

FATES = ("accepted", "duplicate", "quarantined", "late")
INGESTED_AS = ("events", "rejected", "late")
NO_FILE = "(no file)"  # of a source that has none


def check_ingested(ingested: Artifact) -> None:
    """Refuses rows of ingest_events that its own account does not explain.

    Raises:
      BadDataError: Naming what does not add up.
    """
    facts = ingested.facts
    found = problems(facts, facts.get("files", ()), INGESTED_AS)
    rejected = facts["rejected"] + facts["posts_rejected"]
    found += _count_problems(ingested, data_files.EVENTS_FILE, facts["events"])
    found += _count_problems(ingested, data_files.REJECTED_FILE, rejected)
    found += _count_problems(ingested, data_files.LATE_FILE, facts["late"])
    _refuse(ingested, found)


def check_validated(validated: Artifact) -> None:
    """Refuses rows of validate_events that its own account does not explain.

    Raises:
      BadDataError: Naming what does not add up.
    """
    facts = validated.facts
    found = problems(facts, facts.get("files", ()), FATES)
    found += _count_problems(validated, data_files.ACCEPTED_FILE, facts["accepted"])
    found += _count_problems(validated, data_files.QUARANTINED_FILE, facts["quarantined"])
    _refuse(validated, found)


def by_file(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Returns for each file of the source how many rows each table has of it, and all together.

    Args:
      tables: Name -> a table with a column `file`.
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
    counted = pc.value_counts(table["file"].fill_null(NO_FILE))
    return Counter({each["values"]: each["counts"] for each in counted.to_pylist()})


def problems(
    account: Mapping[str, Any], files: Sequence[Mapping[str, Any]], parts: Sequence[str]
) -> list[str]:
    """Returns what is wrong with an account: of the day, of a file, or of both together."""
    found = [] if _adds_up(account, parts) else [_sum(account, parts)]
    found += [f"{each['file']}: {_sum(each, parts)}" for each in files if not _adds_up(each, parts)]
    for name in ("rows_in", *parts):
        total = sum(each[name] for each in files)
        if total != account[name]:
            found.append(f"{account[name]:,} {name}, but {total:,} by file")
    return found


def _count_problems(artifact: Artifact, name: str, expected: int) -> list[str]:
    count = pq.read_metadata(artifact.path(name)).num_rows
    return [] if count == expected else [f"{expected:,} rows in {name}, which has {count:,}"]


def _adds_up(account: Mapping[str, Any], parts: Sequence[str]) -> bool:
    return account["rows_in"] == sum(account[name] for name in parts)


def _sum(account: Mapping[str, Any], parts: Sequence[str]) -> str:
    told = " + ".join(f"{account[name]:,} {name}" for name in parts)
    return f"{account['rows_in']:,} rows in, but {told}"


def _refuse(artifact: Artifact, problems: Sequence[str]) -> None:
    if problems:
        raise BadDataError(
            f"The account of {artifact.ref} is wrong: {'; '.join(problems)}. "
            f"Run `phoenix step {artifact.ref.kind} --day {artifact.ref.partition}` again; if it "
            "stays, this is a bug."
        )
