"""The operator of a step, whichever its runner: the day, the form, the asset's event."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException

from components import contract
from wiring import outcome
from wiring.links import LINKS


class StepOperator:
    """Mixed into an operator class that runs one step with a list of arguments.

    `ARGUMENTS` names the attribute with the list; it is a template field, so the form's values are
    filled in before it runs. It stays a list: no value can become a word of a shell.
    """

    ARGUMENTS: ClassVar[str]
    operator_extra_links = LINKS

    @property
    def day(self) -> str:
        """The UTC day of this run, once the templates were filled in."""
        arguments = getattr(self, self.ARGUMENTS)
        return arguments[arguments.index("--day") + 1]

    def pre_execute(self, context: Any) -> None:
        """Refuses a run without one valid day, or with a forced gate and no reason."""
        params = context["params"]
        key, form = context.get("partition_key"), params.get("day")
        if not (key or form):
            raise AirflowFailException(
                "Which day? Start this DAG with the field Partition Key, or `day` of the form, set "
                "to a UTC day, YYYY-MM-DD."
            )
        if key and form and key != form:
            raise AirflowFailException(
                f"The partition key says {key} and the form's `day` says {form}: set one of them."
            )
        try:
            contract.parse_day(key or form)
        except ValueError as error:
            raise AirflowFailException(str(error)) from error
        if params.get("force") and not params.get("reason"):
            raise AirflowFailException("`force` overrules the gate, so it needs a `reason`.")
        setattr(self, self.ARGUMENTS, without_empty_options(getattr(self, self.ARGUMENTS)))

    def post_execute(self, context: Any, result: Any = None) -> None:
        """Adds the day to the event of each asset, so that the next DAG runs for that day.

        Airflow takes the day from the partition key by itself. A run that was started by hand with
        the form alone has none: without this its event would trigger nothing.
        """
        assets = [outlet for outlet in getattr(self, "outlets", []) if isinstance(outlet, Asset)]
        for asset in assets:
            event = context["outlet_events"][asset]
            event.extra = {"day": self.day, "artifact": (result or {}).get("artifact")}
            if not context.get("partition_key"):
                event.add_partitions(self.day)


def without_empty_options(arguments: Iterable[str]) -> list[str]:
    """Returns the arguments without the options whose value is empty: the form left them out.

    >>> without_empty_options(["--day", "2026-01-01", "--force", "", "--unchanged-ok"])
    ['--day', '2026-01-01', '--unchanged-ok']
    """
    remaining: list[str] = []
    for argument in arguments:
        if argument == "" and remaining:
            remaining.pop()  # the name of the option
        else:
            remaining.append(argument)
    return remaining


def result_of_log(lines: Sequence[str] | str | None) -> dict[str, Any]:
    """Returns the XCom of a container from the last line of its log."""
    return outcome.summary([lines] if isinstance(lines, str) else list(lines or []))


def log_result(logger: Any, result: dict[str, Any]) -> None:
    """Logs that there was nothing to do; anything else is in the step's own last line."""
    if result["status"] == "unchanged":
        logger.info("Nothing to do: the artifact of this recipe exists and is intact.")
