"""The approval of a person between gate and release, where the deployment or the run asks."""

from collections.abc import Mapping
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

CHOICES = ("configured", "never", "always")  # of the form


class Approval(ApprovalOperator):
    """Asks before a release; goes on at once when nobody wants to be asked."""

    def __init__(self, *, configured: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.configured = configured

    def execute(self, context: Any) -> Any:
        """Waits for an answer if one is asked for."""
        result = context["ti"].xcom_pull(task_ids="evaluate_models")
        if not is_asked(context["params"]["approval"], result, self.configured):
            self.log.info("No approval is asked for.")
            return None
        return super().execute(context)


def is_asked(choice: str, result: Mapping[str, Any] | None, configured: str) -> bool:
    """Whether a person must approve.

    Args:
      choice: One of CHOICES. `configured` is what the gate itself says, by `needs_approval`.
      result: XCom of `evaluate_models`; None if its runner has none.
      configured: The deployment's setting, for want of a result: then asking is the safe side.
    """
    if choice != "configured":
        return choice == "always"
    needs_approval = ((result or {}).get("facts") or {}).get("needs_approval")
    return configured != "never" if needs_approval is None else bool(needs_approval)
