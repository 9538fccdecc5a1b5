"""Is this machine, this configuration and this store fit to run, and is anything stuck?

Every check returns findings; a finding that is not fine says what to do. Nothing is repaired here:
the steps repair what they can by themselves when they run next.
"""

import contextlib
import datetime
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from packaging.requirements import Requirement

from components import contract
from components.contract import ExitCode
from components.errors import BadConfigurationError, BadDataError
from components.release import releases
from components.rows import late_rows
from components.settings.config import Config
from components.settings.source import SyntheticSource
from components.source import layouts
from components.store import leases, records
from components.store.artifacts import Ref, Store

DISTRIBUTION = "phoenix-pipeline"
PYTHON = ((3, 11), (3, 14))  # from, and below
_GIB = 2**30
_MIN_MEMORY_BYTES = 4 * _GIB
_MIN_DISK_BYTES = 1 * _GIB
_LOW_DISK_BYTES = 5 * _GIB


class Severity(StrEnum):
    """How bad a finding is."""

    FINE = "fine"
    WARNING = "warning"  # works, or mends itself at the next run
    ERROR = "error"  # the next run fails, or what is published cannot be trusted


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found."""

    check: str
    severity: Severity
    message: str
    advice: str = ""
    exit_code: ExitCode = ExitCode.DONE  # of the whole examination, if this is an error


def examine(config: Config, *, folder: Path | None = None, deep: bool = False) -> list[Finding]:
    """Runs every check.

    Args:
      config: The deployment to examine.
      folder: Where its configuration lies, and its Airflow if it has one of its own.
      deep: Whether to verify every byte of every current artifact, or the manifests alone.
    """
    findings = [*machine_findings(), *_source(config), *_training(config), *_sinks(config)]
    findings += _airflow(folder) if folder else []
    writable = list(_storage(config))
    findings += writable
    if all(finding.severity is not Severity.ERROR for finding in writable):
        store = Store(config.store)
        checks = (
            _work(store),
            _artifacts(store, deep=deep),
            _gaps(store, config),
            _late(store, config),
            _live(store),
            _failures(store),
        )
        findings += [finding for check in checks for finding in _until_damage(check)]
    return list(dict.fromkeys(findings))  # one damaged pointer ends several checks


def exit_code(findings: list[Finding]) -> ExitCode:
    """Returns 0 if nothing is wrong, 78 for the machine or the configuration, else 65."""
    codes = {finding.exit_code for finding in findings if finding.severity is Severity.ERROR}
    return max(codes, default=ExitCode.DONE)


def unusable_configuration(error: BadConfigurationError) -> Finding:
    """Returns the finding that says why there is nothing to examine."""
    return _unfit("configuration", str(error), "Mend it, then ask again: `phoenix doctor`.")


def machine_findings() -> Iterator[Finding]:
    """Checks what does not depend on a configuration: Python, libraries, memory."""
    version = sys.version_info[:2]
    wanted = f"{PYTHON[0][0]}.{PYTHON[0][1]} to {PYTHON[1][0]}.{PYTHON[1][1] - 1}"
    if PYTHON[0] <= version < PYTHON[1]:
        yield _fine("python", f"Python {version[0]}.{version[1]}.")
    else:
        yield _unfit(
            "python",
            f"Python {version[0]}.{version[1]} is not supported, expected {wanted}.",
            "Run `make setup` with a supported Python.",
        )
    yield from _libraries()
    yield from _memory()


def _libraries() -> Iterator[Finding]:
    try:
        wanted = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        yield _warning(
            "libraries",
            f"{DISTRIBUTION} is not installed as a package: nothing says which versions it needs.",
            "Fine in an image that was built from the lock; otherwise run `make setup`.",
        )
        return
    needed = [Requirement(line) for line in wanted]
    base = [item for item in needed if item.marker is None or item.marker.evaluate({"extra": ""})]
    problems = [problem for item in base if (problem := _library_problem(item))]
    for problem in problems:
        yield _unfit("libraries", problem, "Run `make setup`: it installs what the lock says.")
    if not problems:
        yield _fine("libraries", f"{len(base)} libraries in the versions that were asked for.")


def _library_problem(wanted: Requirement) -> str | None:
    try:
        version = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{wanted.name} is missing, expected {wanted.name}{wanted.specifier}."
    if wanted.specifier.contains(version, prereleases=True):
        return None
    return f"{wanted.name} {version} is installed, expected {wanted.name}{wanted.specifier}."


def _memory() -> Iterator[Finding]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if total >= _MIN_MEMORY_BYTES:
        yield _fine("memory", f"{total / _GIB:.0f} GiB of memory.")
    else:
        yield _warning(
            "memory",
            f"{total / _GIB:.1f} GiB of memory; training and validation together want "
            f"{_MIN_MEMORY_BYTES / _GIB:.0f}.",
            "Lower `batch_size` and the table sizes, or take a larger machine.",
        )


def _source(config: Config) -> Iterator[Finding]:
    source = config.ingest_events.source
    if isinstance(source, SyntheticSource):
        yield _fine("source", "The source is there: the synthetic world.")
        return
    try:
        found = layouts.layout(source, config)
        yield _fine("source", f"The source is there: {len(found.event_files)} event files.")
    except BadConfigurationError as error:
        yield _unfit(
            "source",
            str(error),
            "Mend the path in the configuration; it is relative to the configuration's folder.",
        )


def _training(config: Config) -> Iterator[Finding]:
    """What the trainer would refuse in a night, asked now."""
    if importlib.util.find_spec("jax") is None:
        return  # `_libraries` tells, and nothing can be trained here.
    # With JAX, which the other findings do without.
    from components.training import check as training_check

    for role in releases.ROLES:
        try:
            training_check.check(config, role)
            yield _fine("training", f"The {role} can be trained here as configured.")
        except BadConfigurationError as error:
            yield _unfit(
                "training",
                str(error),
                "Mend the setting in the configuration. If it names devices of another machine, "
                "ask there.",
            )


def _sinks(config: Config) -> Iterator[Finding]:
    for sink in config.publish_feeds.sinks:
        variable = sink.dsn_variable if sink.kind == "postgres" else sink.url_variable
        if not os.environ.get(variable):
            yield _warning(
                "sinks",
                f"The sink {sink.kind} needs the environment variable {variable}, not set here.",
                "Set it where the step publish_feeds runs.",
            )


def _airflow(folder: Path) -> Iterator[Finding]:
    """The deployment's own Airflow, if it was ever started."""
    from components.local.airflow import LocalAirflow
    from components.local.deployment import Deployment

    airflow = LocalAirflow(Deployment(folder))
    if not airflow.deployment.home.exists():
        return
    if importlib.util.find_spec("airflow") is None:
        yield _unfit("airflow", "Airflow is not installed here.", "Run `make setup`.")
    elif airflow.is_running:
        yield _fine("airflow", f"Airflow runs at {airflow.url}.")
    elif (airflow.deployment.home / "processes.json").exists():
        yield _warning(
            "airflow",
            "Airflow was started, and not all of its processes live.",
            f"`phoenix down` clears up; its logs are in {airflow.deployment.home / 'logs'}.",
        )
    else:
        yield _fine("airflow", "Airflow is not running; `phoenix up` starts it.")


def _storage(config: Config) -> Iterator[Finding]:
    try:
        store = Store(config.store).storage
        path = f"tmp/doctor-{uuid.uuid4().hex}"
        first, second = store.create(path, b"1"), store.create(path, b"2")
        kept = store.read(path)
        store.remove(path)
    except (OSError, ValueError, NotImplementedError, BadConfigurationError) as error:
        yield _unfit(
            "store",
            f"The store {config.store} cannot be written: {error}",
            "Mend `store` in the configuration, or the rights or the free space there.",
        )
        return
    if (first, second, kept) != (True, False, b"1"):
        yield _unfit(
            "store",
            f"The store {config.store} lets two writers create the same file.",
            "Choose a disk or bucket with an atomic create; without it two runs could mix.",
        )
        return
    yield _fine("store", f"The store {config.store} can be written, and creates atomically.")
    if store.is_local:
        yield from _disk(Path(config.store))


def _disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    message = f"{free / _GIB:.1f} GiB free on the disk of the store."
    if free < _MIN_DISK_BYTES:
        yield _unfit("disk", message, "Free some space: the next step is likely to fail.")
    elif free < _LOW_DISK_BYTES:
        yield _warning("disk", message, "Free some space soon.")
    else:
        yield _fine("disk", message)


def _work(store: Store) -> Iterator[Finding]:
    """Who is writing, and what the dead have left behind."""
    dead_drafts = [folder for folder, is_alive in store.storage.drafts() if not is_alive]
    if dead_drafts:
        yield _warning(
            "drafts",
            f"{len(dead_drafts)} unfinished artifacts of processes that died.",
            "Nothing to do: the next step removes them.",
        )
    for name, entry, is_alive in leases.holders(store.storage):
        who = f"process {entry.value['pid']} on {entry.value['machine']} since {entry.moved_at}"
        if is_alive:
            yield _fine("leases", f"{name} is being written by {who}.")
        else:
            yield _warning(
                "leases",
                f"{name} was being written by {who}, which died.",
                "Run the step again: it takes over and starts from what was saved.",
            )


def _artifacts(store: Store, *, deep: bool) -> Iterator[Finding]:
    num_good = 0
    for ref in store.heads():
        if store.head(ref.kind, ref.partition) is None:
            yield _warning("artifacts", f"{ref} was removed.", _rerun(ref))
            continue
        try:
            store.read(ref) if deep else store.manifest(ref)
            num_good += 1
        except BadDataError as error:
            yield _untrusted("artifacts", str(error), _rerun(ref))
    what = "with all their files" if deep else "by their manifests (--deep verifies the files)"
    yield _fine("artifacts", f"{num_good} current artifacts are whole, {what}.")


def _gaps(store: Store, config: Config) -> Iterator[Finding]:
    """Days without an artifact before a day that has one."""
    found = False
    for step in contract.STEPS.values():
        there = {name[:10] for name in store.partitions(step.name)}
        missing = [
            day for day in _days(config.first_day, max(there, default="")) if day not in there
        ]
        if missing:
            found = True
            yield _untrusted(
                "gaps",
                f"{step.name} has no artifact of {', '.join(missing[:5])}"
                + (f" and {len(missing) - 5} more days." if len(missing) > 5 else "."),
                f"Run them, oldest first: `phoenix step {step.name} --day {missing[0]}`, or "
                "a backfill from the Airflow UI.",
            )
    if not found:
        yield _fine("gaps", "No day is missing before a day that is there.")


def _late(store: Store, config: Config) -> Iterator[Finding]:
    """Days whose rows arrived after they were validated."""
    waiting: dict[str, list[str]] = {}
    for arrival in store.partitions("ingest_events"):
        with contextlib.suppress(BadDataError):  # `_artifacts` tells of what is damaged
            for day in late_rows.days_to_run_again(store, config, contract.parse_day(arrival)):
                waiting.setdefault(day, []).append(arrival)
    for day, arrivals in sorted(waiting.items()):
        yield _warning(
            "late",
            f"{day} waits to be run again: rows of it arrived on {', '.join(sorted(arrivals))}.",
            f"`phoenix step validate_events --day {day}`, then build_features of {day}; "
            "phoenix_late does so in Airflow.",
        )
    if not waiting:
        yield _fine("late", "No day waits for rows that arrived after it.")


def _days(first: datetime.date, last: str) -> list[str]:
    if not last:
        return []
    num_days = (datetime.date.fromisoformat(last) - first).days + 1
    return [(first + datetime.timedelta(days=number)).isoformat() for number in range(num_days)]


def _until_damage(check: Iterator[Finding]) -> Iterator[Finding]:
    """Yields what a check finds; what it cannot read past is its last finding."""
    try:
        yield from check
    except BadDataError as error:
        yield _untrusted("pointers", str(error), "Ask again afterwards: `phoenix doctor`.")


def _live(store: Store) -> Iterator[Finding]:
    entry = store.pointer("live").read()
    if entry is None:
        yield _fine("live", "Nothing is live yet.")
        return
    advice = "`phoenix releases list` shows what you can roll back to."
    for part in ("release", "feeds"):
        try:
            store.manifest(Ref(**entry.value[part]))
        except BadDataError as error:
            yield _untrusted("live", f"The live {part} cannot be used: {error}", advice)
            return
    yield _fine("live", f"Release and feeds of {entry.value['day']} are live and whole.")


def _failures(store: Store) -> Iterator[Finding]:
    """Steps whose newest run failed: what is stuck until somebody acts."""
    for day in records.days(store):
        for record in records.read(store, day):
            if record["status"] == "failed":
                first_line = record["error"].splitlines()[0] if record["error"] else ""
                yield _warning(
                    "runs",
                    f"{record['step']} of {day} failed ({record['exit_code']}): {first_line}",
                    f"Read pages/{day}/index.html in the store; then "
                    f"`phoenix step {record['step']} --day {day}`.",
                )


def _rerun(ref: Ref) -> str:
    return f"`phoenix step {ref.kind} --day {ref.partition[:10]}` makes it again."


def _fine(check: str, message: str) -> Finding:
    return Finding(check=check, severity=Severity.FINE, message=message)


def _warning(check: str, message: str, advice: str) -> Finding:
    return Finding(check=check, severity=Severity.WARNING, message=message, advice=advice)


def _unfit(check: str, message: str, advice: str) -> Finding:
    return Finding(
        check=check,
        severity=Severity.ERROR,
        message=message,
        advice=advice,
        exit_code=ExitCode.BAD_CONFIGURATION,
    )


def _untrusted(check: str, message: str, advice: str) -> Finding:
    return Finding(
        check=check,
        severity=Severity.ERROR,
        message=message,
        advice=advice,
        exit_code=ExitCode.BAD_DATA,
    )
