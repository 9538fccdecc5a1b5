"""A backfill of the head DAG and everything that it sets off, followed until feeds are published.

Only the first DAG is backfilled: its asset starts the second for the same day, and that one's the
third. So a day is done when its third DAG run is, and failed as soon as any of the three is.
"""

import contextlib
import datetime
import json
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contract import LATE_DAG, Dag
from components.errors import StepError, TryAgainError
from components.local.client import AirflowClient, RefusedError

_STALL_SECONDS = 60.0  # without any active run, while days are not done: nothing will come any more
_ACTIVE = ("queued", "running")


class CascadeFailedError(StepError):
    """A step of a day failed; the message is the step's own, with the place of its log."""


@dataclass(frozen=True)
class DagRun:
    """One DAG run of the cascade."""

    dag_id: str
    run_id: str
    day: str
    state: str
    seconds: float | None  # None until it ended


@dataclass(frozen=True)
class TaskRun:
    """One try of one task."""

    dag_id: str
    run_id: str
    day: str
    task_id: str
    map_index: int
    try_number: int
    state: str

    def log(self, logs: Path) -> Path:
        """Returns the file with the log of this try, below Airflow's folder of logs."""
        folder = (
            logs / f"dag_id={self.dag_id}" / f"run_id={self.run_id}" / f"task_id={self.task_id}"
        )
        if self.map_index >= 0:
            folder /= f"map_index={self.map_index}"
        return folder / f"attempt={self.try_number}.log"


class Cascade:
    """The DAG runs of some days since the moment when this object started their backfill."""

    def __init__(self, client: AirflowClient, days: Sequence[datetime.date]) -> None:
        self.days = [day.isoformat() for day in days]
        self.runs: dict[tuple[str, str], DagRun] = {}  # (day, DAG) -> its newest run
        self._client = client
        self._earlier_runs: set[str] = set()
        self._idle_since: float | None = None
        self._backfill: int | None = None

    def start(self) -> None:
        """Backfills the head DAG over the days, also those that were done before.

        Raises:
          TryAgainError: If another backfill is at work.
        """
        self._earlier_runs = {
            run["dag_run_id"] for run in self._client.every("dags/~/dagRuns", "dag_runs")
        }
        body = {
            "dag_id": Dag.DATA,
            "from_date": f"{self.days[0]}T00:00:00Z",
            "to_date": f"{self.days[-1]}T00:00:00Z",
            "reprocess_behavior": "completed",
            "max_active_runs": 1,  # days in order
        }
        try:
            self._backfill = self._client.post("backfills", body)["id"]
        except RefusedError as error:
            # 409: one is open. It may be over, and Airflow has not looked yet.
            if error.status != 409 or not self._end_finished_backfills():
                raise
            self._backfill = self._client.post("backfills", body)["id"]

    def _end_finished_backfills(self) -> bool:
        """Ends backfills that have no run left; Airflow takes minutes to see that by itself.

        Raises:
          TryAgainError: If a run is still to be done.
        """
        runs = self._client.every(f"dags/{Dag.DATA}/dagRuns", "dag_runs")
        if any(run["state"] in ("queued", "running") for run in runs):
            raise TryAgainError(
                f"Another backfill of {Dag.DATA} is at work in {self._client.url}: wait for its "
                "end, or cancel it there."
            )
        backfills = list(self._client.every("backfills", "backfills", dag_id=Dag.DATA))
        open_backfills = [each["id"] for each in backfills if each["completed_at"] is None]
        for number in open_backfills:
            self._client.put(f"backfills/{number}/cancel")
        return bool(open_backfills)

    def cancel(self) -> None:
        """Ends the backfill, so that another can start; a day that has begun goes on."""
        if self._backfill is not None:
            with contextlib.suppress(TryAgainError):  # it is over, or Airflow is gone
                self._client.put(f"backfills/{self._backfill}/cancel")

    def poll(self) -> bool:
        """Looks at Airflow once; returns whether all days are done.

        Raises:
          CascadeFailedError: If a DAG run failed, or nothing goes on any more.
        """
        new_runs = []
        # The newest first, up to the first one that was there before: a look at Airflow costs what
        # this cascade has, and not what its database holds.
        for run in self._client.every("dags/~/dagRuns", "dag_runs", order_by="-id"):
            if run["dag_run_id"] in self._earlier_runs:
                break
            if run["partition_key"] in self.days:
                new_runs.append(_dag_run(run))
        for run in reversed(new_runs):
            self.runs[run.day, run.dag_id] = run
        for run in self.runs.values():
            if run.state == "failed":
                raise CascadeFailedError(f"{run.dag_id} of {run.day} failed.")
        is_done = all(self.state(day, Dag.FEEDS) == "success" for day in self.days)
        if not is_done:
            self._refuse_stall()
        return is_done

    def state(self, day: str, dag_id: str) -> str:
        """Returns the state of a DAG's run of a day; `waiting` before there is one."""
        run = self.runs.get((day, dag_id))
        return run.state if run else "waiting"

    def tasks(self, state: str) -> list[TaskRun]:
        """Returns the tasks of the cascade that are in `state` now."""
        days = {run.run_id: run.day for run in self.runs.values()}
        answer = self._client.get("dags/~/dagRuns/~/taskInstances", state=state, limit=100)
        return [
            TaskRun(
                dag_id=task["dag_id"],
                run_id=task["dag_run_id"],
                day=days[task["dag_run_id"]],
                task_id=task["task_id"],
                map_index=task["map_index"],
                try_number=task["try_number"],
                state=state,
            )
            for task in answer["task_instances"]
            if task["dag_run_id"] in days
        ]

    def _refuse_stall(self) -> None:
        """Raises once nothing has been active for a while: no asset will start anything more."""
        if any(run.state in _ACTIVE for run in self.runs.values()):
            self._idle_since = None
            return
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        if now - self._idle_since > _STALL_SECONDS:
            waiting = [day for day in self.days if self.state(day, Dag.FEEDS) != "success"]
            raise CascadeFailedError(
                f"Nothing runs any more, and {waiting[0]} has no feeds: look at its runs in "
                f"{self._client.url}."
            )


def end_leftovers(client: AirflowClient) -> int:
    """Cancels what a stopped command left unfinished; returns how many runs that were.

    Otherwise Airflow would go on with them, and a new backfill of the same days would be refused.
    """
    for backfill in client.every("backfills", "backfills", dag_id=Dag.DATA.value):
        if backfill["completed_at"] is None:
            client.put(f"backfills/{backfill['id']}/cancel")
    leftovers = [run for state in _ACTIVE for run in _runs_in(client, state)]
    for run in leftovers:
        client.patch(f"dags/{run.dag_id}/dagRuns/{_quoted(run.run_id)}", {"state": "failed"})
    return len(leftovers)


def error_in_log(log: Path) -> str:
    """Returns the error that ended a try: what the step said, or what Airflow did.

    The log holds one JSON object a line; the last exception is the reason.
    """
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "its log is not there"
    for line in reversed(lines):
        try:
            details = json.loads(line).get("error_detail")
        except (json.JSONDecodeError, AttributeError):
            continue
        if details:
            return str(details[0]["exc_value"])
    return lines[-1] if lines else "its log is empty"


def _runs_in(client: AirflowClient, state: str) -> list[DagRun]:
    ours = {*map(str, Dag), LATE_DAG}
    runs = client.every("dags/~/dagRuns", "dag_runs", state=state)
    return [_dag_run(run) for run in runs if run["dag_id"] in ours]


def _dag_run(run: Mapping[str, Any]) -> DagRun:
    return DagRun(
        dag_id=run["dag_id"],
        run_id=run["dag_run_id"],
        day=run["partition_key"] or "",
        state=run["state"],
        seconds=run["duration"] if run["end_date"] else None,
    )


def _quoted(run_id: str) -> str:
    return urllib.parse.quote(run_id, safe="")  # it holds plus signs and colons
