from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.rows.day_parts.day_arrivals import Arrivals
from components.rows.day_parts.settled_files import SettledFiles
from components.rows.settlement import settle
from components.tables import bucket_files
from phoenix.data.days import DAY_MS
from schemas.buckets import NUM_SLOTS
from schemas.events import EVENTS, INGESTED, REJECTED
from schemas.rules import TOO_LATE
from tests.components.rows.test_settlement import CONFIG, DAY, START, ingested

ROWS = [("a.csv", user, START + time, user % 5, 0) for user in range(1, 40) for time in range(2)]


def written(folder: Path, num_parts: int, num_buckets: int) -> Path:
    """The files of a day whose users are settled in so many parts."""
    folder.mkdir()
    # As they come back from the files of ingest_events.
    events, _ = bucket_files.by_slot(ingested(ROWS))
    late = ingested([(None, 1, START - 9 * DAY_MS, 0, 0)])
    bad = {"table": "events", "file": "b.csv", "line": 2, "rule": "malformed_row", "raw": ""}
    rejected = pa.Table.from_pylist([bad | {"detail": "?"}], schema=REJECTED.schema())
    with SettledFiles(folder, INGESTED.names, num_buckets) as files:
        for part in range(num_parts):
            slots = bucket_files.slots_of_bucket(part, num_parts)
            arrivals = Arrivals(
                events=of_slots(events, slots),
                rejected=rejected if part == 0 else rejected.slice(0, 0),
                late=of_slots(late, slots),
            )
            files.write(settle(arrivals, CONFIG, DAY))
    return folder


def of_slots(rows: pa.Table, slots: range) -> pa.Table:
    own = bucket_files.slots_of(rows["user_id"].to_numpy())
    return rows.filter(pa.array((own >= slots.start) & (own < slots.stop)))


def test_files_do_not_depend_on_how_many_users_are_settled_at_a_time(tmp_path: Path) -> None:
    one = written(tmp_path / "one", 1, 1)
    for num_parts, num_buckets in ((4, 1), (NUM_SLOTS, 8)):
        other = written(tmp_path / f"{num_parts}", num_parts, num_buckets)
        quarantined = [(each / "quarantined.parquet").read_bytes() for each in (one, other)]
        assert quarantined[0] == quarantined[1]
        for name in ("accepted.parquet", "labels.parquet"):
            tables = [bucket_files.BucketFiles(bucket_files.paths(f, name)) for f in (one, other)]
            assert tables[0].read().equals(tables[1].read())
            assert tables[0].pieces == tables[1].pieces, "by which the rows are known"
        assert len(bucket_files.paths(other, "accepted.parquet")) == num_buckets
    rules = pq.read_table(one / "quarantined.parquet")["rule"].to_pylist()
    assert rules[0] == "malformed_row"
    assert rules[1:] == ["bad_surface"] * 32 + [TOO_LATE]


def test_a_file_of_no_rows_is_there_with_its_columns(tmp_path: Path) -> None:
    with SettledFiles(tmp_path, INGESTED.names, 2) as files:
        for _ in range(2):
            nothing = ingested([])
            empty = Arrivals(events=nothing, rejected=REJECTED.schema().empty_table(), late=nothing)
            files.write(settle(empty, CONFIG, DAY))
    accepted = bucket_files.BucketFiles(bucket_files.paths(tmp_path, "accepted.parquet"))
    assert (accepted.num_rows, EVENTS.problems(accepted.schema)) == (0, [])
