"""The days for which late rows arrived, as partitions of an asset."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from components import contract


class LateDays(BaseOperator):
    """Emits one partition for each day that one of the steps `after` says is to be run again.

    It is a task of its own, because a task that succeeds always emits its asset: without a late
    row this one is skipped, and nothing starts.
    """

    def __init__(self, *, after: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self.after = after

    def execute(self, context: Any) -> Sequence[str]:
        """Returns the days, after their partitions were added to the assets.

        Raises:
          AirflowSkipException: If there is none, or the runner returns nothing from a step.
        """
        results = [context["ti"].xcom_pull(task_ids=step) or {} for step in self.after]
        days = sorted(
            {str(contract.parse_day(day)) for each in results for day in each.get("run_again", ())}
        )
        if not days:
            raise AirflowSkipException("No row arrived for an earlier day.")
        for asset in self.outlets:
            if isinstance(asset, Asset):
                context["outlet_events"][asset].add_partitions(days)
        self.log.info("Rows arrived for %s: the data steps of these days start again.", days)
        return days
