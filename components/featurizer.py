"""The one place where impressions become what a model reads, in training and for feeds alike.

`day_windows` makes the windows of a day with their labels; `request_windows` makes the windows of
users who ask for a feed; both find the history and hash the ids by the same code, so that what is
learned is what is served. Windows travel as Parquet in the schema of `schemas.features`.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.artifacts import Artifact
from components.config import Config, HashingConfig
from components.data_files import ACCEPTED_FILE
from components.errors import BadDataError
from components.step import Context
from phoenix.hashing import HashSpec
from phoenix.histories import Log, history_rows, window_rows
from phoenix.windows import Windows
from schemas.events import EVENTS
from schemas.features import WindowShape, features_table

_MILLISECOND = datetime.timedelta(milliseconds=1)


def hash_spec(config: HashingConfig) -> HashSpec:
    """Returns the hash functions of a deployment; their digest is in every windows file."""

    def documented(num_hashes: int) -> HashSpec:
        return HashSpec.documented(
            user_rows=config.user_rows,
            post_rows=config.post_rows,
            author_rows=config.author_rows,
            num_hashes=num_hashes,
        )

    return HashSpec(
        user=documented(config.num_user_hashes).user,
        post=documented(config.num_post_hashes).post,
        author=documented(config.num_author_hashes).author,
    )


def window_shape(config: Config) -> WindowShape:
    """Returns the fixed sizes of the windows of a deployment."""
    return WindowShape(
        history_length=config.build_features.history_length,
        num_candidates=config.build_features.num_candidates,
        num_user_hashes=config.hashing.num_user_hashes,
        num_post_hashes=config.hashing.num_post_hashes,
        num_author_hashes=config.hashing.num_author_hashes,
    )


def accepted_partitions(context: Context) -> list[Artifact]:
    """Opens the accepted events of the day and of the days that may enter a history before it.

    Returns:
      Artifacts of validate_events in order of their days, the day itself last; see
      `accepted_files`.

    Raises:
      BadDataError: If a day since `first_day` is missing: a history with a hole is a wrong history.
    """
    first, day = context.config.first_day, context.day
    every_day = [first + datetime.timedelta(days=n) for n in range((day - first).days + 1)]
    missing = [d for d in every_day if context.head("validate_events", d) is None]
    if missing:
        names = ", ".join(str(d) for d in missing[:10]) + (", ..." if len(missing) > 10 else "")
        raise BadDataError(
            f"{context.step.name} of {day} needs validate_events of every day since {first}; "
            f"missing: {names}. Run the data steps of these days first, in order."
        )
    reach = context.config.build_features.history_days + 1
    return [context.read("validate_events", d) for d in every_day[-reach:]]


def accepted_files(partitions: Sequence[Artifact]) -> list[Path]:
    """Returns the files of accepted events of artifacts of validate_events."""
    return [artifact.path(ACCEPTED_FILE) for artifact in partitions]


def day_windows(
    events: Sequence[Path], config: Config, *, day: datetime.date
) -> tuple[np.ndarray, Windows]:
    """Cuts a day into windows, each with the history strictly before its first impression.

    Args:
      events: Parquet files of accepted events: the days before, as far as histories reach, and the
        day itself.
      config: Fixed shapes, reach of a window and hashing.
      day: The UTC day.

    Returns:
      `[N]` int64 ids (the event of the first impression) and N windows in order of user and time.
    """
    features = config.build_features
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    start = _milliseconds(midnight)
    log = read_log(events, active_from=midnight)
    today = np.flatnonzero(log.shown_at >= start)
    rows = window_rows(
        log.user_ids[today],
        log.shown_at[today],
        num_candidates=features.num_candidates,
        window_ms=features.window_minutes * 60_000,
    )
    candidates = np.where(rows >= 0, today[rows], -1) if len(today) else rows
    first = candidates[:, 0]
    windows = _windows(log, config, log.user_ids[first], log.shown_at[first])
    padded = _padded(log)
    spec = hash_spec(config.hashing)
    return log.event_ids[first], windows._replace(
        candidate_post_ids=padded.post_ids[candidates],
        candidate_author_ids=padded.author_ids[candidates],
        candidate_post_hashes=spec.post.hash_ids(padded.post_ids[candidates]),
        candidate_author_hashes=spec.author.hash_ids(padded.author_ids[candidates]),
        candidate_shown_at=padded.shown_at[candidates],
        candidate_surfaces=padded.surfaces[candidates],
        labels=padded.actions[candidates],
        label_dwell_seconds=padded.dwell_seconds[candidates],
    )


def request_windows(
    events: Sequence[Path], config: Config, *, user_ids: np.ndarray, at: datetime.datetime
) -> Windows:
    """Makes the windows of users who ask for a feed at one moment.

    Args:
      events: Parquet files of accepted events, as far as histories reach.
      config: Fixed shapes and hashing.
      user_ids: `[N]` int64; a user without history gets an empty one.
      at: With a time zone. History is what was shown before and had arrived by then.

    Returns:
      N windows in the order of `user_ids`, with one padded candidate each; see `with_candidates`.
    """
    user_ids = np.asarray(user_ids, np.int64)
    log = read_log(events, user_ids=user_ids)
    return _windows(log, config, user_ids, np.full(len(user_ids), _milliseconds(at), np.int64))


def with_candidates(
    windows: Windows, config: Config, *, post_ids: np.ndarray, author_ids: np.ndarray
) -> Windows:
    """Returns the windows with other candidates: posts that might be shown at `starts_at`.

    Args:
      windows: N windows.
      config: Hashing, and the surface for which feeds are made.
      post_ids: `[N, C]` int64, 0 is padding; any C.
      author_ids: `[N, C]` int64.
    """
    spec = hash_spec(config.hashing)
    is_real = post_ids != 0
    return windows._replace(
        candidate_post_ids=post_ids,
        candidate_author_ids=author_ids,
        candidate_post_hashes=spec.post.hash_ids(post_ids),
        candidate_author_hashes=spec.author.hash_ids(author_ids),
        candidate_shown_at=np.where(is_real, windows.starts_at[:, None], 0),
        candidate_surfaces=np.where(is_real, config.materialize_feeds.surface, 0).astype(np.int32),
        labels=np.zeros(post_ids.shape, np.uint64),
        label_dwell_seconds=np.zeros(post_ids.shape, np.float32),
    )


def read_log(
    events: Sequence[Path],
    *,
    active_from: datetime.datetime | None = None,
    user_ids: np.ndarray | None = None,
) -> Log:
    """Reads events of some users, sorted by user, time and event.

    One Ibis expression, so that another engine can run it.

    Args:
      events: Parquet files of accepted events.
      active_from: Only users with an impression at or after this time.
      user_ids: Only these users.
    """
    import ibis

    connection = ibis.duckdb.connect()
    table = connection.read_parquet([str(path) for path in events]).select(*EVENTS.names)
    if active_from is not None:
        active = table.filter(table.shown_at >= active_from).select("user_id").distinct()
        table = table.semi_join(active, "user_id")
    if user_ids is not None:
        table = table.semi_join(
            ibis.memtable(pa.table({"user_id": np.unique(user_ids)})), "user_id"
        )
    result = table.order_by("user_id", "shown_at", "event_id").to_pyarrow()
    # Engines have their own resolution of time; the contract has its own.
    return Log(*(_plain(result[c.name].combine_chunks().cast(c.type)) for c in EVENTS.columns))


def write_windows(path: Path, windows: Windows, *, ids: np.ndarray, spec: HashSpec) -> None:
    """Writes windows as Parquet.

    Args:
      path: The file.
      windows: N windows.
      ids: `[N]` int64, unique.
      spec: The hash functions that made them; a reader refuses windows of others.
    """
    table = features_table(_shape_of(windows))
    arrays = [pa.array(ids)]
    for column, values in zip(table.columns[1:], windows, strict=True):
        if pa.types.is_fixed_size_list(column.type):
            flat = pa.array(np.ascontiguousarray(values).reshape(-1))
            if flat.type != column.type.value_type:
                flat = flat.view(column.type.value_type)
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, type=column.type))
        else:
            array = pa.array(values)
            arrays.append(array if array.type == column.type else array.view(column.type))
    schema = table.schema(hash_spec=spec.digest())
    # Hashes and ids hardly repeat, so a dictionary costs time and saves nothing.
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=schema), path, compression="zstd", use_dictionary=False
    )


def read_windows(path: Path, *, spec: HashSpec | None = None) -> Windows:
    """Reads the windows that `write_windows` wrote, without copying where there is one row group.

    Args:
      path: The file.
      spec: The hash functions of the model that will read them.

    Raises:
      BadDataError: If the file's columns are not those of windows, or `spec` hashes otherwise.
    """
    content = pq.read_table(path)
    metadata = content.schema.metadata or {}
    if spec is not None and metadata.get(b"hash_spec", b"").decode() != spec.digest():
        raise BadDataError(
            f"{path}: hashed by {metadata.get(b'hash_spec', b'nothing').decode()[:12]}, "
            f"the model by {spec.digest()[:12]}: build the features again with its hashing."
        )
    num_windows, arrays = len(content), {}
    for name in Windows._fields:
        if name not in content.column_names:
            raise BadDataError(f"{path}: expected a column {name!r}, got {content.column_names}.")
        column = content[name]
        values = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if isinstance(values, pa.ChunkedArray):  # no row groups at all
            values = pa.array([], column.type)
        if pa.types.is_fixed_size_list(column.type):
            arrays[name] = _plain(values.flatten()).reshape(num_windows, column.type.list_size)
        else:
            arrays[name] = _plain(values)
    for name in ("history_post_hashes", "history_author_hashes"):
        arrays[name] = _unflattened(arrays[name], arrays["history_post_ids"].shape[1])
    for name in ("candidate_post_hashes", "candidate_author_hashes"):
        arrays[name] = _unflattened(arrays[name], arrays["candidate_post_ids"].shape[1])
    return Windows(**arrays)


def _windows(log: Log, config: Config, user_ids: np.ndarray, cutoffs: np.ndarray) -> Windows:
    """Returns windows with history, and one padded candidate each."""
    spec = hash_spec(config.hashing)
    rows = history_rows(
        log, user_ids, cutoffs, length=config.build_features.history_length
    )  # [N, S]
    padded = _padded(log)
    nothing = np.zeros((len(user_ids), 1), np.int64)
    return Windows(
        user_ids=user_ids,
        starts_at=cutoffs,
        user_hashes=spec.user.hash_ids(user_ids),
        history_post_ids=padded.post_ids[rows],
        history_author_ids=padded.author_ids[rows],
        history_post_hashes=spec.post.hash_ids(padded.post_ids[rows]),
        history_author_hashes=spec.author.hash_ids(padded.author_ids[rows]),
        history_shown_at=padded.shown_at[rows],
        history_actions=padded.actions[rows],
        history_surfaces=padded.surfaces[rows],
        history_dwell_seconds=padded.dwell_seconds[rows],
        candidate_post_ids=nothing,
        candidate_author_ids=nothing,
        candidate_post_hashes=spec.post.hash_ids(nothing),
        candidate_author_hashes=spec.author.hash_ids(nothing),
        candidate_shown_at=nothing,
        candidate_surfaces=nothing.astype(np.int32),
        labels=nothing.astype(np.uint64),
        label_dwell_seconds=nothing.astype(np.float32),
    )


def _padded(log: Log) -> Log:
    """Returns the log with a row of zeros at its end, which is what row -1 then means."""
    return Log(*(np.append(array, array.dtype.type(0)) for array in log))


def _shape_of(windows: Windows) -> WindowShape:
    return WindowShape(
        history_length=windows.history_post_ids.shape[1],
        num_candidates=windows.candidate_post_ids.shape[1],
        num_user_hashes=windows.user_hashes.shape[1],
        num_post_hashes=windows.history_post_hashes.shape[2],
        num_author_hashes=windows.history_author_hashes.shape[2],
    )


def _plain(values: pa.Array) -> np.ndarray:
    if pa.types.is_timestamp(values.type):
        values = values.view(pa.int64())
    return values.to_numpy(zero_copy_only=False)


def _unflattened(values: np.ndarray, length: int) -> np.ndarray:
    return values.reshape(len(values), length, values.shape[1] // length)


def _milliseconds(moment: datetime.datetime) -> int:
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // _MILLISECOND
