"""A step of the contract as a task of the deployment's runner, and the fields of the forms."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Asset, Param

from components import contract
from wiring.process import ProcessStep
from wiring.settings import Settings, load

SETTINGS: Settings = load()  # once per DAG file that is read; an error shows in the UI

DAY = "{{ partition_key or params.day or '' }}"
KEY_FORMAT = "%Y-%m-%d"  # of the partition keys; the same as contract.parse_day

FEATURES = Asset(name="features", uri="x-phoenix://features")
RELEASE = Asset(name="release", uri="x-phoenix://release")
FEEDS = Asset(name="feeds", uri="x-phoenix://feeds")
LATE_ROWS = Asset(name="late_rows", uri="x-phoenix://late_rows")

DEFAULTS: dict[str, Any] = {
    "owner": "phoenix",
    "retries": SETTINGS.retries,
    "retry_delay": SETTINGS.retry_delay,
    "execution_timeout": SETTINGS.timeout,
}


def task(step: contract.Step, *, outlets: Sequence[Asset] = (), **options: object) -> Any:
    """Returns the task that runs `step` for the day of the DAG run.

    Args:
      step: A step of the contract.
      outlets: Assets that have news when the step is done.
      **options: The step's options: values, or templates; empty once rendered means left out.
    """
    operator, native = _native(step, _argv(step, options))
    return operator(**_common(step), **native, outlets=list(outlets))


def mapped_task(
    step: contract.Step, *, over: Sequence[dict[str, object]], trigger_rule: str = "all_success"
) -> Any:
    """Returns one task per entry of `over`, each with its own values of the step's options."""
    operator, native = _native(step, [])
    del native[operator.ARGUMENTS]  # Airflow refuses a value that is both fixed and mapped
    return operator.partial(**_common(step), **native, trigger_rule=trigger_rule).expand(
        **{operator.ARGUMENTS: [_argv(step, options) for options in over]}
    )


def shards(count: int) -> list[dict[str, object]]:
    """Returns the options of every shard.

    >>> shards(2)
    [{'shard': 0, 'num_shards': 2}, {'shard': 1, 'num_shards': 2}]
    """
    return [{"shard": shard, "num_shards": count} for shard in range(count)]


def form(**fields: Param) -> Any:
    """Returns the form of a DAG: the day of a run that is started by hand, and more `fields`."""
    day = Param(
        None,
        type=["null", "string"],
        format="date",
        pattern=f"^{contract.DAY_PATTERN}$",
        title="Day (UTC)",
        description="The day to process, unless Partition Key (Advanced Options) names it.",
    )
    return {"day": day, **fields}


def option_param(step: contract.Step, name: str, **extra: Any) -> Param:
    """Returns the form's field for an option of a step, with the contract's choices and help."""
    option = next(option for option in step.options if option.name == name)
    types = ["string"] if option.default is not None else ["null", "string"]
    if option.choices:
        extra["enum"] = [*option.choices, *([None] if option.default is None else [])]
        extra["values_display"] = {"null": "not set"}
    return Param(
        option.default,
        type=types,
        title=name.capitalize(),
        description=option.help,
        **extra,
    )


def _argv(step: contract.Step, options: dict[str, object]) -> list[str]:
    # An artifact that is there already is a success in Airflow: what comes after it must run.
    return [*step.argv(config=SETTINGS.config, day=DAY, **options), "--unchanged-ok"]


def _common(step: contract.Step) -> dict[str, Any]:
    common: dict[str, Any] = {"task_id": step.name, "doc_md": step.summary}
    if step.is_training:
        common["pool"] = "training"  # of one slot: a model takes the whole machine
    return common


def _native(step: contract.Step, argv: list[str]) -> tuple[Any, dict[str, Any]]:
    """Returns the operator class of the runner and the arguments with which it runs the step."""
    if SETTINGS.runner == "docker":
        from wiring import docker  # takes seconds, and only this runner needs it

        return docker.DockerStep, docker.arguments(step.module, argv, SETTINGS)
    if SETTINGS.runner == "kubernetes":
        from wiring import kubernetes  # likewise

        return kubernetes.PodStep, kubernetes.arguments(step.module, argv, SETTINGS)
    native = {
        "module": step.module,
        "arguments": argv,
        "python": SETTINGS.python,
        "stop_seconds": SETTINGS.stop_seconds,
    }
    return ProcessStep, native
