"""The buttons "Run page" and "Data docs" on every task: pages of the day, served by the plugin."""

from typing import Any

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf
from airflow.sdk.types import TaskInstanceKey

PREFIX = "/phoenix"  # where the plugin serves the pages, below Airflow's own address


def page_url(kind: str, day: str) -> str:
    """Returns the address of the `pages` or the `docs` of a day."""
    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}{PREFIX}/{kind}/{day}/index.html"


class RunPage(BaseOperatorLink):
    """The page of the day: rows, learning curves, metrics, decision, feeds."""

    _kind = "pages"

    @property
    def name(self) -> str:
        """The text of the button."""
        return "Run page"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Returns the address; called in the task, after its templates were filled in."""
        del ti_key
        return page_url(self._kind, operator.day) if operator.day else ""


class DataDocs(RunPage):
    """Great Expectations' Data Docs of the day."""

    _kind = "docs"

    @property
    def name(self) -> str:
        """The text of the button."""
        return "Data docs"


LINKS = (RunPage(), DataDocs())
