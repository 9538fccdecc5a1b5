"""The frame of a day's page and its line in the index: state of the run, highlights, lineage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components import contract
from components.contract import ExitCode
from components.pages import panels
from components.pages.day_facts import DayFacts
from components.release import decisions, releases

ADVICE: Mapping[int, str] = {
    ExitCode.BAD_DATA: "The input is not usable. Mend what the message names, then run the step "
    "again; what was published before stays published.",
    ExitCode.BUG: "This is a bug in the pipeline. Keep the log of the task and report it; what was "
    "published before stays published.",
    ExitCode.TRY_AGAIN: "Somebody else was at work or something was not there yet. The same "
    "command may work later; Airflow retries by itself.",
    ExitCode.BAD_CONFIGURATION: "The configuration or the command line is wrong. Mend the field "
    "that the message names, then run the step again.",
}


@dataclass(frozen=True, kw_only=True)
class StepLine:
    """One step in the status of a run."""

    name: str
    dag: str
    summary: str
    state: str  # done, unchanged, failed or waiting
    seconds: float | None  # of the run that did the work
    share: float  # of the longest step, for the bar
    message: str | None
    advice: str | None
    exit_code: int | None
    started_at: str | None


def day_page(facts: DayFacts) -> Mapping[str, Any]:
    """Returns all values of the template of a day."""
    lines = step_lines(facts)
    return {
        "state": state(lines),
        "steps": lines,
        "failed": [line for line in lines if line.state == "failed"],
        "seconds": sum(line.seconds or 0 for line in lines),
        "damaged": facts.damaged,
        "lineage": lineage(facts),
        "highlights": highlights(facts),
        **panels.all_panels(facts),
    }


def summary(facts: DayFacts) -> Mapping[str, Any]:
    """Returns the line of the day in the index."""
    lines = step_lines(facts)
    return {
        "day": facts.day,
        "state": state(lines),
        "num_done": sum(line.state in ("done", "unchanged") for line in lines),
        "num_steps": len(lines),
        "failed": [line.name for line in lines if line.state == "failed"],
        "seconds": round(sum(line.seconds or 0 for line in lines), 3),
        **highlights(facts),
    }


def highlights(facts: DayFacts) -> Mapping[str, Any]:
    """Returns the numbers by which one recognises a day; None for what is not there yet."""
    validation = facts.facts(contract.VALIDATE_EVENTS.name)
    evaluation = facts.facts(contract.EVALUATE_MODELS.name)
    feeds = facts.facts(contract.PUBLISH_FEEDS.name)
    roles = {}
    for role in releases.ROLES:
        decision = evaluation.get(role)
        metrics = evaluation.get("metrics", {}).get(role, {})
        roles[role] = decision and {
            "verdict": decision["verdict"],
            "model": decision["model"],
            "metric": decision["metric"],
            "value": metrics.get(decisions.entrant(decision), {}).get(decision["metric"]),
            "popular": metrics.get("most_popular", {}).get(decision["metric"]),
        }
    return {
        "rows_in": validation.get("rows_in"),
        "accepted": validation.get("accepted"),
        "quarantined": validation.get("quarantined"),
        "users": feeds.get("users"),
        "coverage": feeds.get("coverage"),
        "roles": roles,
    }


def state(lines: Sequence[StepLine]) -> str:
    """Returns the state of a run: failed, done, or in progress."""
    if any(line.state == "failed" for line in lines):
        return "failed"
    return "in progress" if any(line.state == "waiting" for line in lines) else "done"


def step_lines(facts: DayFacts) -> list[StepLine]:
    """Returns one line per step of the contract, in order."""
    seconds = {name: _seconds(records) for name, records in facts.records.items()}
    longest = max((value for value in seconds.values() if value), default=1.0)
    lines = []
    for step in contract.STEPS.values():
        records = facts.records.get(step.name, ())
        failures = [record for record in records if record["status"] == "failed"]
        worst = failures[0] if failures else None
        step_seconds = seconds.get(step.name)
        lines.append(
            StepLine(
                name=step.name,
                dag=step.dag,
                summary=step.summary,
                state=_state(records, has_artifact=_has_artifact(facts, step.name)),
                seconds=step_seconds,
                share=(step_seconds or 0.0) / longest,
                message=worst["error"] if worst else None,
                advice=ADVICE.get(worst["exit_code"]) if worst else None,
                exit_code=worst["exit_code"] if worst else None,
                started_at=records[0]["started_at"] if records else None,
            )
        )
    return lines


def _has_artifact(facts: DayFacts, step: str) -> bool:
    """Whether a step, or a shard of it, has an artifact of this day."""
    return any(name == step or name.startswith(f"{step}-") for name in facts.manifests)


def _state(records: Sequence[Mapping[str, Any]], *, has_artifact: bool) -> str:
    """The state of a step from the newest records of its shards."""
    if any(record["status"] == "failed" for record in records):
        return "failed"
    if not records:  # a store that was copied has artifacts and no records
        return "done" if has_artifact else "waiting"
    return "done" if any(record["status"] == "done" for record in records) else "unchanged"


def _seconds(records: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds of the runs that did the work; shards add up."""
    if not records:
        return None
    return sum((record.get("made") or record)["seconds"] for record in records)


def lineage(facts: DayFacts) -> list[Mapping[str, Any]]:
    """Returns the artifacts of the day with their digests, sizes and inputs."""
    rows = []
    for step, manifest in facts.manifests.items():
        files = manifest["files"]
        recipe = manifest["recipe"]
        rows.append(
            {
                "kind": step,
                "ref": facts.refs[step],
                "num_files": len(files),
                "bytes": sum(entry["bytes"] for entry in files.values()),
                "inputs": [_input_name(item) for item in recipe["inputs"]],
                "code": recipe["code"],
                "seed": recipe["seed"],
            }
        )
    return rows


def _input_name(item: Mapping[str, Any]) -> Mapping[str, str]:
    """Returns name and digest of an input: another artifact, or something of the source."""
    if "kind" in item:
        name = f"{item['kind']} of {item['partition']}"
        return {"name": name, "digest": item["digest"]}
    return {"name": str(item.get("name", "source")), "digest": str(item.get("sha256", ""))}
