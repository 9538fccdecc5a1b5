"""Run records: when a step last ran, how long it took and how it ended.

Records are for people and for the pages; nothing is computed from them. They live beside the
artifacts because the clock must not enter an artifact.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from components.errors import BadDataError
from components.store import formats
from components.store.artifacts import Store

_FIELDS = {"step": str, "day": str, "options": dict, "started_at": str, "status": str}
_REMEDY = "Remove it: nothing is computed from it, and the next run of its step writes it anew."


def write(store: Store, record: Mapping[str, Any]) -> None:
    """Keeps `record` as the newest run of its step (and shard) on its day.

    A run that found nothing to do does not forget the run that did the work: its start and its
    seconds stay in the record as `made`.
    """
    shard = record["options"].get("shard")
    name = record["step"] if shard is None else f"{record['step']}-{shard:03d}"
    path = f"records/{record['day']}/{name}.json"
    work = None
    if record["status"] == "done":
        work = {"started_at": record["started_at"], "seconds": record["seconds"]}
    elif store.storage.exists(path):
        with contextlib.suppress(BadDataError):  # replaced now, so it is not damaged for long
            work = _parse(store, path).get("made")
    content = {**record, "made": work, "format": formats.RECORD}
    data = json.dumps(content, indent=1, sort_keys=True).encode()
    store.storage.replace(path, data)
    if shard is not None and record["status"] != "failed":
        _forget_other_cuts(store, record)


def _forget_other_cuts(store: Store, record: Mapping[str, Any]) -> None:
    """Removes the records of shards that a day cut like this one does not have."""
    num_shards = record["options"]["num_shards"]
    for other in read(store, record["day"]):
        options = other["options"]
        if other["step"] == record["step"] and (
            options["num_shards"] != num_shards or options["shard"] >= num_shards
        ):
            name = f"{other['step']}-{options['shard']:03d}.json"
            store.storage.remove(f"records/{record['day']}/{name}")


def read(store: Store, day: str) -> list[dict[str, Any]]:
    """Returns the newest record of every step that ran for `day`, in order of their start.

    Raises:
      BadDataError: If a record is damaged, or of a format unknown here.
    """
    folder = f"records/{day}"
    # What another process is about to put there has a name with a dot.
    names = [name for name in store.storage.names(folder) if not name.startswith(".")]
    records = []
    for name in names:
        with contextlib.suppress(FileNotFoundError):  # forgotten since it was listed
            records.append(_parse(store, f"{folder}/{name}"))
    return sorted(records, key=lambda record: record["started_at"])


def _parse(store: Store, path: str) -> dict[str, Any]:
    """Reads a record and checks the fields that its readers use."""
    data, name = store.storage.read(path), f"The record {store.storage.uri(path)}"
    try:
        record = dict(json.loads(data))
    except (ValueError, TypeError) as error:
        raise BadDataError(f"{name} is damaged: {error}. {_REMEDY}") from error
    formats.check(name, record.get("format", formats.FIRST), newest=formats.RECORD)
    for field, kind in _FIELDS.items():
        if not isinstance(record.get(field), kind):
            expected = kind.__name__
            raise BadDataError(f"{name} is damaged: {field} is no {expected}. {_REMEDY}")
    return record


def fingerprint(store: Store, day: str) -> str:
    """Returns a digest of the day's records, which changes when a step ends."""
    return hashlib.sha256(json.dumps(read(store, day)).encode()).hexdigest()


def days(store: Store) -> list[str]:
    """Returns every day for which a step ever ran, sorted."""
    return store.storage.names("records")
