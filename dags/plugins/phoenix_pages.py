"""The plugin that shows the deployment's pages in Airflow's UI, to whoever may see the DAGs.

It serves `<store>/pages` and `<store>/docs` below `/phoenix`, adds them as tabs to every DAG run
and as an entry to the menu. Airflow mounts a plugin's application without any authentication, so
the application asks for it itself. Airflow imports this module in every task, too: what is slow to
import waits for the first request.
"""

import functools
import mimetypes
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path, PurePosixPath
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.configuration import conf

PREFIX = "/phoenix"
KINDS = ("pages", "docs")
_HEAD_DAG = "phoenix_data"  # who may read this DAG may read what it produced

# Titles and messages in the pages come from data. Nothing in them may run or load from elsewhere:
# they are on Airflow's own origin, with the user's session.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; font-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def read_page(store: str, kind: str, path: str) -> bytes | None:
    """Returns a file of the pages or the docs; None if there is none, or it is not theirs.

    Args:
      store: Folder or fsspec URL of the deployment's store.
      kind: One of KINDS.
      path: Of the address, already decoded.
    """
    import fsspec  # slow to import, and Airflow imports this module in every task

    parts = PurePosixPath(path).parts
    if kind not in KINDS or not parts or parts[0] == "/" or ".." in parts or "\0" in path:
        return None
    filesystem, root = fsspec.core.url_to_fs(store)
    name = "/".join([root, kind, *parts])
    # A bucket has no symbolic links; on a disk one could lead out of the folder.
    if "file" in filesystem.protocol and not _is_below(Path(name), Path(root) / kind):
        return None
    try:
        return filesystem.cat_file(name)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def _is_below(path: Path, folder: Path) -> bool:
    """Whether the file is in the folder once all symbolic links are followed."""
    return path.resolve().is_relative_to(folder.resolve())


@functools.cache
def application() -> Any:
    """Returns the application behind `/phoenix`."""
    from airflow.api_fastapi.common.db.common import SessionDep
    from airflow.api_fastapi.core_api.security import requires_access_dag
    from airflow.models.dagrun import DagRun
    from fastapi import Depends, FastAPI, HTTPException, Request
    from fastapi.responses import RedirectResponse, Response
    from sqlalchemy import select

    store = conf.get("phoenix", "store")
    may_read_dag = Depends(requires_access_dag(method="GET", param_dag_id=_HEAD_DAG))
    app = FastAPI(dependencies=[may_read_dag], docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/runs/{kind}/{dag_id}/{run_id:path}")
    def page_of_run(
        request: Request, session: SessionDep, kind: str, dag_id: str, run_id: str
    ) -> RedirectResponse:
        """Leads from a DAG run to the page of its day."""
        query = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        run = session.scalar(query)
        day = run and (run.partition_key or (run.conf or {}).get("day"))
        if not day or kind not in KINDS:
            raise HTTPException(404, "This run has no day, so it has no page.")
        return RedirectResponse(f"{request.scope['root_path']}/{kind}/{day}/index.html")

    @app.get("/{kind}/{path:path}")
    def page(kind: str, path: str) -> Response:
        """Returns one file of the pages or the docs."""
        content = read_page(store, kind, path)
        if content is None:
            raise HTTPException(404, f"{kind}/{path} is not there: steps write it as they end.")
        media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
        return Response(content, media_type=media_type, headers=HEADERS)

    return app


async def _application_on_request(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Makes the application at the first request: FastAPI and SQLAlchemy are slow to import."""
    await application()(scope, receive, send)


def _tab(name: str, kind: str) -> dict[str, str]:
    """Returns a tab of every DAG run, which shows the page of the run's day."""
    return {
        "name": name,
        "destination": "dag_run",
        "url_route": f"phoenix-{kind}",
        "href": f"{PREFIX}/runs/{kind}/{{DAG_ID}}/{{RUN_ID}}",
    }


class PhoenixPages(AirflowPlugin):
    """Run pages and Data Docs in Airflow's UI."""

    name = "phoenix_pages"
    fastapi_apps = [{"app": _application_on_request, "url_prefix": PREFIX, "name": "Phoenix pages"}]
    external_views = [
        _tab("Run page", "pages"),
        _tab("Data docs", "docs"),
        {
            "name": "Phoenix runs",
            "destination": "nav",
            "category": "browse",
            "url_route": "phoenix-index",
            "href": f"{PREFIX}/pages/index.html",
        },
    ]
