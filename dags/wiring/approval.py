"""A person's yes between the gate and the release, where the deployment or the run asks for it."""

from collections.abc import Mapping
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator


class Approval(ApprovalOperator):
    """Asks before a release; goes on at once when nobody wants to be asked.

    The form's `approval` says when: `never`, `when_promoted`, `always`, or `configured`, which
    means the deployment's setting.
    """

    def __init__(self, *, configured: str, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self.configured = configured

    def execute(self, context: Any) -> Any:  # noqa: ANN401 - Airflow's own signature
        """Waits for an answer if one is asked for."""
        asked = context["params"]["approval"]
        when = self.configured if asked == "configured" else asked
        result = context["ti"].xcom_pull(task_ids="evaluate_models")
        if not is_asked(when, result):
            self.log.info("No approval is asked for (%s).", when)
            return None
        return super().execute(context)


def is_asked(when: str, result: Mapping[str, Any] | None) -> bool:
    """Whether a person must approve.

    Args:
      when: `never`, `when_promoted` or `always`.
      result: XCom of `evaluate_models`; None if its runner has none. Without the facts, a wish to
        be asked about promotions means to be asked.
    """
    if when == "when_promoted":
        promoted = ((result or {}).get("facts") or {}).get("promoted")
        return promoted is None or bool(promoted)
    return when == "always"
