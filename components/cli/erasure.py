"""The report of `phoenix erasure`: where the rows of forgotten users still are."""

from dataclasses import asdict
from typing import Any

from components.erasure import forgotten, search
from components.settings.config import Config
from components.store.artifacts import Store


def report(store: Store, config: Config) -> dict[str, Any]:
    """Returns where forgotten users still are: in what is current, and in old versions."""
    traces = [asdict(trace) for trace in search.traces(store, config)]
    current = [trace for trace in traces if trace["is_current"]]
    return {
        "forgotten": len(forgotten.erased_ids(config)),
        "rows_in_current_artifacts": sum(trace["rows"] for trace in current),
        "rows_in_old_artifacts": sum(t["rows"] for t in traces if not t["is_current"]),
        # Of current ones alone: a day that runs again gets a new version and leaves the old ones.
        "days_to_run_again": sorted({trace["partition"][:10] for trace in current}),
        "traces": traces,
    }
