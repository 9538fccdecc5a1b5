"""Checks of the store: whether it can be written, what it lacks, and what is stuck in it."""

import contextlib
import datetime
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from components import contract
from components.cli.doctor.findings import Finding, Severity, fine, unfit, untrusted, warning
from components.cli.doctor.machine import GIB
from components.earnings import history
from components.errors import BadConfigurationError, BadDataError
from components.rows import late_rows, row_kinds
from components.settings.config import Config
from components.settings.source import SyntheticSource
from components.source import source as sources
from components.source.by_day import day_changes
from components.store import leases, records
from components.store.artifacts import Ref, Store
from components.training import fit

_MIN_DISK_BYTES = 1 * GIB
_LOW_DISK_BYTES = 5 * GIB
_MAX_DAYS_NAMED = 5  # in one message about missing days
_RECENT_DAYS = 7  # of which the newest with more than a few rows says what rows look like


def store_findings(config: Config, *, deep: bool) -> Iterator[Finding]:
    """Checks the store of a deployment, and what is in it if it can be written at all.

    Args:
      config: The deployment to examine.
      deep: Whether to verify every byte of every current artifact, or manifests and sizes alone.
    """
    storage_findings = list(_storage_findings(config))
    yield from storage_findings
    # Of a store that cannot be written the other checks would repeat the same trouble.
    if any(finding.severity is Severity.ERROR for finding in storage_findings):
        return
    store = Store(config.store)
    for check in (
        _work_findings(store),
        _artifact_findings(store, deep=deep),
        _gap_findings(store, config),
        _empty_findings(store),
        _late_findings(store, config),
        _source_findings(store, config),
        _row_findings(store, config),
        _live_findings(store),
        _earnings_findings(store),
        _failure_findings(store),
        _fit_findings(store, config),
    ):
        yield from _until_damage(check)


def _fit_findings(store: Store, config: Config) -> Iterator[Finding]:
    """Compares settings with the size of the log."""
    for misfit in fit.misfits(config, store):
        advice = "Change the setting, or let it follow the log: `auto`, where it can be that."
        yield warning("settings", f"{misfit}.", advice)


def _storage_findings(config: Config) -> Iterator[Finding]:
    """Tries the write on which everything rests: of two that create a file, one must fail."""
    try:
        storage = Store(config.store).storage
        path = f"tmp/doctor-{uuid.uuid4().hex}"
        first, second = storage.create(path, b"1"), storage.create(path, b"2")
        content = storage.read(path)
        storage.remove(path)
    except (OSError, ValueError, NotImplementedError, BadConfigurationError) as error:
        yield unfit(
            "store",
            f"The store {config.store} cannot be written: {error}",
            "Mend `store` in the configuration, or the rights or the free space there.",
        )
        return
    if (first, second, content) != (True, False, b"1"):
        yield unfit(
            "store",
            f"The store {config.store} lets two writers create the same file.",
            "Choose a disk or bucket with an atomic create; without it two runs could mix.",
        )
        return
    yield fine("store", f"The store {config.store} can be written, and creates atomically.")
    if storage.is_local:
        yield _disk_finding(Path(config.store))


def _disk_finding(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    message = f"{free / GIB:.1f} GiB free on the disk of the store."
    if free < _MIN_DISK_BYTES:
        return unfit("disk", message, "Free some space: the next step is likely to fail.")
    if free < _LOW_DISK_BYTES:
        return warning("disk", message, "Free some space soon.")
    return fine("disk", message)


def _work_findings(store: Store) -> Iterator[Finding]:
    """Says who is writing, and what the dead have left behind."""
    dead_drafts = [folder for folder, is_alive in store.storage.drafts() if not is_alive]
    if dead_drafts:
        yield warning(
            "drafts",
            f"{len(dead_drafts)} unfinished artifacts of processes that died.",
            "Nothing to do: the next step removes them.",
        )
    for name, entry, is_alive in leases.holders(store.storage):
        who = f"process {entry.value['pid']} on {entry.value['machine']} since {entry.moved_at}"
        if is_alive:
            yield fine("leases", f"{name} is being written by {who}.")
        else:
            yield warning(
                "leases",
                f"{name} was being written by {who}, which died.",
                "Run the step again: it takes over and starts from what was saved.",
            )


def _artifact_findings(store: Store, *, deep: bool) -> Iterator[Finding]:
    num_whole = 0
    for ref in store.heads():
        if store.head(ref.kind, ref.partition) is None:
            yield warning("artifacts", f"{ref} was removed.", _rerun_advice(ref))
            continue
        try:
            store.read(ref) if deep else store.check_sizes(ref)
            num_whole += 1
        except BadDataError as error:
            yield untrusted("artifacts", str(error), _rerun_advice(ref))
    how = (
        "with all their files"
        if deep
        else "by their manifests and sizes (--deep verifies the bytes)"
    )
    yield fine("artifacts", f"{num_whole} current artifacts are whole, {how}.")


def _rerun_advice(ref: Ref) -> str:
    return f"`phoenix step {ref.kind} --day {ref.partition[:10]}` makes it again."


def _gap_findings(store: Store, config: Config) -> Iterator[Finding]:
    """Names days without an artifact before a day that has one."""
    has_gap = False
    for step in contract.STEPS.values():
        # The partition of a shard is its day with a suffix; one shard is enough to be no gap.
        days = {partition[:10] for partition in store.partitions(step.name)}
        first = config.first_day
        if days and step.dag is not contract.Dag.DATA:
            # A log is older than its models, and a store may be older than a step.
            first = contract.parse_day(min(days))
        missing_days = [day for day in _days_until(first, max(days, default="")) if day not in days]
        if missing_days:
            has_gap = True
            num_more = len(missing_days) - _MAX_DAYS_NAMED
            yield untrusted(
                "gaps",
                f"{step.name} has no artifact of {', '.join(missing_days[:_MAX_DAYS_NAMED])}"
                + (f" and {num_more} more days." if num_more > 0 else "."),
                f"Run them, oldest first: `phoenix step {step.name} --day {missing_days[0]}`, or "
                "a backfill from the Airflow UI.",
            )
    if not has_gap:
        yield fine("gaps", "No day is missing before a day that is there.")


def _empty_findings(store: Store) -> Iterator[Finding]:
    """Names the days to which no row came: that is in order, or a delivery that failed."""
    name, days = contract.INGEST_EVENTS.name, []
    for day in store.partitions(name):
        ref = store.head(name, day)
        with contextlib.suppress(BadDataError):  # `_artifact_findings` tells of what is damaged
            if ref and not store.manifest(ref)["facts"].get("rows_in", 1):
                days.append(day)
    days.sort()
    if days:
        num_more = len(days) - _MAX_DAYS_NAMED
        names = ", ".join(days[-_MAX_DAYS_NAMED:])
        more = f", and {num_more} earlier ones" if num_more > 0 else ""
        yield fine("empty", f"The source has no row of {names}{more}: empty days.")


def _days_until(first: datetime.date, last: str) -> list[str]:
    """Returns the days from the first to the last one; none if there is no last one.

    >>> _days_until(datetime.date(2026, 1, 30), "2026-02-01")
    ['2026-01-30', '2026-01-31', '2026-02-01']
    """
    if not last:
        return []
    num_days = (datetime.date.fromisoformat(last) - first).days + 1
    return [(first + datetime.timedelta(days=number)).isoformat() for number in range(num_days)]


def _late_findings(store: Store, config: Config) -> Iterator[Finding]:
    """Names days whose rows arrived after they were validated."""
    arrival_days: dict[str, list[str]] = {}  # by the day that waits
    for partition in store.partitions(contract.INGEST_EVENTS.name):
        arrival_day = contract.parse_day(partition)
        with contextlib.suppress(BadDataError):  # `_artifact_findings` tells of what is damaged
            for day in late_rows.days_to_run_again(store, config, arrival_day):
                arrival_days.setdefault(day, []).append(partition)
    for day, arrivals in sorted(arrival_days.items()):
        yield warning(
            "late",
            f"{day} waits to be run again: rows of it arrived on {', '.join(sorted(arrivals))}.",
            f"`phoenix step validate_events --day {day}`, then build_features of {day}; "
            "phoenix_late does so in Airflow.",
        )
    if not arrival_days:
        yield fine("late", "No day waits for rows that arrived after it.")


def _source_findings(store: Store, config: Config) -> Iterator[Finding]:
    """Names days of which the source holds other files or rows than were ingested."""
    newest = max(store.partitions(contract.INGEST_EVENTS.name), default=None)
    if newest is None or isinstance(config.ingest_events.source, SyntheticSource):
        return
    try:
        source = sources.open_source(config, store)
    except BadConfigurationError:
        return  # `deployment` tells of a source that is not there
    before = contract.parse_day(newest) + datetime.timedelta(days=1)
    days = day_changes.changed_days(store, config, source, before=before)
    for day in days:
        # The days after it read its state, and drop what they share with it.
        yield warning(
            "changed",
            f"The source of {day} has changed since it was ingested: files or rows came or went.",
            f"`phoenix data --days {day}..{newest}`; in Airflow phoenix_late takes the day, and "
            "phoenix_data those after it.",
        )
    if not days:
        reach = config.validate_events.late_days
        yield fine("changed", f"The source of the last {reach} days is as it was ingested.")


def _row_findings(store: Store, config: Config) -> Iterator[Finding]:
    """Tells of a log that is read as impressions and looks like one of actions."""
    for day in sorted(store.partitions(contract.INGEST_EVENTS.name), reverse=True)[:_RECENT_DAYS]:
        ref = store.head(contract.INGEST_EVENTS.name, day)
        shares = {}
        if ref is not None:
            with contextlib.suppress(BadDataError):  # `_artifact_findings` tells of what is damaged
                shares = store.manifest(ref)["facts"].get("row_kind", {})
        if shares:  # the newest day with more than a few rows
            if advice := row_kinds.advice(shares, config):
                yield warning("rows", f"{day}: {advice}", "Then run the days again.")
            return


def _live_findings(store: Store) -> Iterator[Finding]:
    entry = store.pointer("live").read()
    if entry is None:
        yield fine("live", "Nothing is live yet.")
        return
    advice = "`phoenix releases list` shows what you can roll back to."
    for part in ("release", "feeds"):
        try:
            store.check_sizes(Ref(**entry.value[part]))
        except BadDataError as error:
            yield untrusted("live", f"The live {part} cannot be used: {error}", advice)
            return
    yield fine("live", f"Release and feeds of {entry.value['day']} are live and whole.")


def _earnings_findings(store: Store) -> Iterator[Finding]:
    """Tells of live models that surely earn less than those before them."""
    loss = history.loss(store)
    if loss is not None:
        yield warning("earnings", loss.told, loss.advice)
    elif any(True for _ in history.measures(store)):
        yield fine("earnings", "No live model surely earns less than the one before it.")


def _failure_findings(store: Store) -> Iterator[Finding]:
    """Names steps whose newest run failed: what is stuck until somebody acts."""
    for day in records.days(store):
        for record in records.read(store, day):
            if record["status"] == "failed":
                first_line = record["error"].splitlines()[0] if record["error"] else ""
                yield warning(
                    "runs",
                    f"{record['step']} of {day} failed ({record['exit_code']}): {first_line}",
                    f"Read pages/{day}/index.html in the store; then "
                    f"`phoenix step {record['step']} --day {day}`.",
                )


def _until_damage(check: Iterator[Finding]) -> Iterator[Finding]:
    """Yields the findings of a check; damage that it cannot read past is its last finding."""
    try:
        yield from check
    except BadDataError as error:
        yield untrusted("pointers", str(error), "Ask again afterwards: `phoenix doctor`.")
