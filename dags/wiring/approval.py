"""The approval of a person between gate and release, where the deployment or the run asks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param

from wiring.links import page_url

CHOICES = ("configured", "never", "always")  # of the form
_OPTIONS = {"Approve": "approve", "Reject": "reject"}  # buttons, and what the release is told
_ROLES = ("retrieval", "ranker")
_MIXTURE = "mixture"  # of candidate and most popular, where one was asked
_ENTRANTS = ("candidate", _MIXTURE, "champion", "most_popular", "random")
_NOTE = "note"
# Of the task that asks: Airflow hands the form of the DAG to every task and merges the two.
FORM = {
    _NOTE: Param(
        "", type="string", title="Why", description="Kept with the release.", maxLength=500
    )
}


class Approval(HITLOperator):
    """Asks before a release; goes on at once when nobody wants to be asked.

    The answer is the XCom that `publish_release` reads: it keeps who approved, and why, in the
    release, and fails where somebody rejected.
    """

    template_fields = ("subject", "day")

    def __init__(self, *, configured: str, day: str, **kwargs: Any) -> None:
        super().__init__(options=list(_OPTIONS), **kwargs)
        self.configured = configured
        self.day = day

    def execute(self, context: Any) -> Any:
        """Waits for an answer if one is asked for."""
        result = context["ti"].xcom_pull(task_ids="evaluate_models")
        if not is_asked(context["params"]["approval"], result, self.configured):
            self.log.info("No approval is asked for.")
            return None
        self.body = question(result, page_url("pages", self.day))
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Returns the answer: who, what and why."""
        response = super().execute_complete(context, event)
        return answer(response)


def answer(response: Mapping[str, Any]) -> dict[str, str]:
    """Returns an answer as the options of `publish_release`: answer, answered_by, note."""
    person = response["responded_by_user"] or {}
    return {
        "answer": _OPTIONS[response["chosen_options"][0]],
        "answered_by": str(person.get("name") or person.get("id") or "somebody"),
        "note": str(response["params_input"].get(_NOTE) or "").strip(),
    }


def is_asked(choice: str, result: Mapping[str, Any] | None, configured: str) -> bool:
    """Whether a person must approve.

    Args:
      choice: One of CHOICES. `configured` is what the gate itself says, by `needs_approval`.
      result: XCom of `evaluate_models`; None if its runner has none.
      configured: The deployment's setting, for want of a result: then asking is the safe side.
    """
    if choice != "configured":
        return choice == "always"
    needs_approval = _facts(result).get("needs_approval")
    return configured != "never" if needs_approval is None else bool(needs_approval)


def question(result: Mapping[str, Any] | None, page: str) -> str:
    """Returns what a person should know before the answer, as Markdown.

    Args:
      result: XCom of `evaluate_models`; None if its runner has none.
      page: Address of the page of the day.
    """
    facts = _facts(result)
    lines = [line for role in _ROLES if role in facts for line in _role(role, facts)]
    lines = lines or ["This runner does not return what the gate said."]
    return "\n".join([*lines, f"[All numbers are on the page of the day]({page})."])


def _role(role: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """Yields the verdict on the models of a role, a table of the numbers, and what speaks against.

    Numbers are as the gate has them: champion and candidate on the users who decide.
    """
    decision, metrics = facts[role], facts.get("metrics", {}).get(role, {})
    metric = decision["metric"]
    goes_on = decision["choice"].replace("fallback", "most popular recommender")
    if decision.get("model_share", 1.0) < 1:
        goes_on += f" ({decision['model']})"
    yield f"### {role.capitalize()}: {decision['verdict']}, the {goes_on} goes on\n"
    names = [name for name in _ENTRANTS if name != _MIXTURE or name in metrics]
    values = {name: metrics.get(name, {}).get(metric) for name in names}
    values |= {name: decision[name] for name in ("candidate", "champion")}
    gain_of = decision.get("gain_of", "candidate")  # decisions before format 10 do not say it
    heads = [*values, "gain" if gain_of == "candidate" else f"gain of {gain_of}"]
    yield f"| {metric} | {' | '.join(name.replace('_', ' ') for name in heads)} | 95 % |"
    yield "|---" * (len(values) + 3) + "|"
    interval = decision["interval"]
    ends = "—" if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}"
    cells = [_number(value) for value in values.values()]
    yield f"| this day | {' | '.join(cells)} | {_number(decision['gain'], '+.4f')} | {ends} |\n"
    for reason in decision["reasons"]:
        yield f"- {reason}"
    for veto in decision.get("vetoes", ()):
        yield f"- **veto** on {veto['entrant']}: {veto['reason']} ({veto['about']})"
    yield from _examples(role, decision.get("examples", ()))
    yield ""


def _examples(role: str, examples: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yields a table of the first posts of a few users under the champion and the candidate."""
    if examples:
        among = "all posts" if role == "retrieval" else "what was shown"
        yield f"\n| best of {among}, user with a history of | champion | candidate |"
        yield "|---|---|---|"
    for each in examples:
        posts = (", ".join(map(_cell, each[name])) for name in ("champion", "candidate"))
        yield f"| {each['history']} | {' | '.join(posts)} |"


def _cell(text: str) -> str:
    """A text as it can stand in a table."""
    return text.replace("|", r"\|").replace("\n", " ")


def _facts(result: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (result or {}).get("facts") or {}


def _number(value: float | None, form: str = ".4f") -> str:
    return "—" if value is None else f"{value:{form}}"
