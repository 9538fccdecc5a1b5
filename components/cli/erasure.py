"""Where the rows of forgotten users still are, for `phoenix erasure`, and their removal by `gc`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from components import contract
from components.contract import ExitCode
from components.erasure import forgotten, removal, search
from components.settings.config import Config
from components.store.artifacts import Store

_NUM_EXAMPLES = 5


def report(store: Store, config: Config) -> dict[str, Any]:
    """Returns where forgotten users still are: in what is current, and in old versions."""
    all_traces = search.traces(store, config)
    traces = [{n: v for n, v in asdict(each).items() if n != "user_ids"} for each in all_traces]
    file, lines = config.ingest_events.erased_users, search.lines_without_rows(all_traces, config)
    current = [trace for trace in traces if trace["is_current"]]
    return {
        "forgotten": len(forgotten.erased_ids(config)),
        "rows_in_current_artifacts": sum(trace["rows"] for trace in current),
        "rows_in_old_artifacts": sum(t["rows"] for t in traces if not t["is_current"]),
        "unreadable_files": sum(not trace["is_readable"] for trace in traces),
        # Of current ones alone: a day that runs again gets a new version and leaves the old ones.
        "days_to_run_again": sorted({trace["partition"][:10] for trace in current}),
        # Not the ids themselves: what is said here is kept in logs.
        "entries_without_rows": {
            "count": len(lines),
            "for_example": [f"{file}:{line}" for line in lines[:_NUM_EXAMPLES]],
        },
        "traces": traces,
    }


def collect(store: Store, config: Config, *, is_dry: bool) -> dict[str, Any]:
    """Removes old versions that hold forgotten users, or lists them; what is current stays.

    Returns:
      Keys: is_dry; versions, of which each says whether it is removed and what keeps it; and what
      to run first, where what is current holds forgotten users.
    """
    if not is_dry:
        store.storage.remove_dead_drafts()  # which hold whatever their makers had read
    traces = search.traces(store, config)
    versions = removal.old_versions(store, traces)
    current = {(trace.kind, trace.partition[:10]) for trace in traces if trace.is_current}
    return {
        "is_dry": is_dry,
        "versions": [
            asdict(version) | {"obstacle": version.obstacle}
            for version in (versions if is_dry else removal.remove(store, versions))
        ],
        "run_first": [
            f"phoenix step {kind} --day {day}"
            for kind, day in sorted(current, key=lambda each: (each[1], _place(each[0])))
        ],
    }


def exit_code(summary: Mapping[str, Any]) -> ExitCode:
    """Returns how a removal ended: with something in use to try again, or with days to run."""
    obstacles = [version for version in summary["versions"] if version["obstacle"]]
    if summary["run_first"] or any(version["is_live"] for version in obstacles):
        return ExitCode.BAD_DATA
    return ExitCode.TRY_AGAIN if obstacles else ExitCode.DONE


def _place(kind: str) -> int:
    return list(contract.STEPS).index(kind)
