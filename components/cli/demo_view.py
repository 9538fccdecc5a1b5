"""The output of the demonstration: progress while it runs, and its results afterwards."""

import datetime
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from components import contract
from components.cli import terminal
from components.cli.loop.book import Entry
from components.contract import Dag
from components.errors import BadDataError
from components.local.cascade import Cascade
from components.pages import report
from components.release import decisions, releases
from components.serving import published
from components.serving.why import why
from components.settings.config import Config
from components.store import records
from components.store.artifacts import Store

_NUM_EXAMPLES = 3
_EXAMPLE_PLACES = 5
_SIGNS = {"success": "[green]✓[/green]", "failed": "[bold red]✗[/bold red]", "queued": "…"}


def started(url: str, user: str, passwords: Path, days: Sequence[datetime.date]) -> None:
    """Prints the days that will be processed, and the address where to watch."""
    out = terminal.console()
    out.print(f"[bold]{len(days)} days, {days[0]} to {days[-1]}[/bold], one after the other.")
    out.print(f"Watch it in Airflow: {url} (user {user}, password in {passwords})")


def how_to_log_in(url: str, user: str, passwords: Path) -> None:
    """Prints the address of Airflow's UI, the user, and the file with the password."""
    terminal.console().print(
        f"Airflow runs at [bold]{url}[/bold]: user [bold]{user}[/bold], password in {passwords}. "
        "`make down` stops it."
    )


@contextmanager
def waiting(activity: str) -> Iterator[None]:
    """Shows that something takes a while, and afterwards how long it took."""
    out, clock = terminal.console(), time.monotonic()
    with out.status(activity):
        yield
    out.print(f"{activity}: {time.monotonic() - clock:.0f} s")


@contextmanager
def progress(cascade: Cascade) -> Iterator[Callable[[], None]]:
    """Yields a function that shows the state of the cascade as it is when it is called.

    A person gets a table that changes in place; a pipe gets a line whenever a DAG run ends.
    """
    out, clock = terminal.console(), time.monotonic()
    if not out.is_terminal:
        printed_runs: set[tuple[str, str]] = set()
        yield lambda: _print_ended(out, cascade, printed_runs, clock)
        return
    with Live(console=out, refresh_per_second=4) as live:
        yield lambda: live.update(_states(cascade, time.monotonic() - clock))


def finished(store: Store, config: Config, days: Sequence[datetime.date], seconds: float) -> None:
    """Shows the table of the days, some feeds with their reasons, and where everything is."""
    out = terminal.console()
    out.print(_results(store, [day.isoformat() for day in days]))
    _example_feeds(out, store, config)
    out.print(f"Pages of all days: [bold]{store.storage.uri('pages/index.html')}[/bold]")
    out.print(f"Page of the last day: {store.storage.uri(report.page_path(str(days[-1])))}")
    out.print(f"Published {len(days)} days in [bold]{seconds:.0f} s[/bold].")


def answers(entries: Sequence[Entry]) -> None:
    """Shows what the feeds of a world that answers earned, day by day, and what else would have."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.title, table.title_justify = "Engagement per impression", "left"
    table.add_column("day")
    for name in (
        "from feeds",
        "feeds",
        "most popular\nin their places",
        "feeds over\nmost popular",
        "elsewhere",
        "feeds, by\nmeasure_feeds",
    ):
        table.add_column(name, justify="right")
    for each in entries:
        gain = None if each.feeds is None else each.feeds / (each.most_popular or 1.0) - 1
        numbers = (each.feeds, each.most_popular)
        table.add_row(
            str(each.day),
            f"{each.served:,}",
            *(_engagement(value) for value in numbers),
            "—" if gain is None else f"{gain:+.1%}",
            *(_engagement(value) for value in (each.elsewhere, each.measured)),
        )
    terminal.console().print(table)


def _engagement(value: float | None) -> str:
    return "—" if value is None else f"{value:.4f}"


def _print_ended(
    out: Console, cascade: Cascade, printed_runs: set[tuple[str, str]], clock: float
) -> None:
    """Prints the runs that have ended since the last call, and adds them to `printed_runs`."""
    for key, run in cascade.runs.items():
        if run.seconds is not None and key not in printed_runs:
            printed_runs.add(key)
            after = time.monotonic() - clock
            out.print(f"{after:5.0f} s  {run.day}  {run.dag_id}  {run.state}  {run.seconds:.1f} s")


def _states(cascade: Cascade, seconds: float) -> Table:
    running = {(task.day, task.dag_id): task.task_id for task in cascade.tasks("running")}
    table = Table(box=box.SIMPLE_HEAD, title=f"{seconds:.0f} s", title_justify="left")
    table.add_column("day")
    for dag in Dag:
        table.add_column(dag, min_width=20)
    for day in cascade.days:
        cells = []
        for dag in Dag:
            state = cascade.state(day, dag)
            run = cascade.runs.get((day, dag))
            if run is not None and run.seconds is not None:
                cells.append(f"{_SIGNS[state]} {run.seconds:.1f} s")
            elif state == "running":
                cells.append(f"[yellow]▸ {running.get((day, dag), '')}[/yellow]")
            else:
                cells.append(_SIGNS.get(state, "[dim]·[/dim]"))
        table.add_row(day, *cells)
    return table


def _results(store: Store, days: Sequence[str]) -> Table:
    newest_evaluation = _facts(store, contract.EVALUATE_MODELS, days[-1])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("day")
    for name in ("rows in", "accepted", "quarantined"):
        table.add_column(name, justify="right")
    for role in ("ranker", "retrieval"):
        metric = newest_evaluation[role]["metric"]
        table.add_column(f"{role}: {metric}\nreleased, popular, random")
    for name in ("feeds", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("steps done")
    for day in days:
        table.add_row(*_day_cells(store, day))
    return table


def _day_cells(store: Store, day: str) -> list[str]:
    rows = _facts(store, contract.VALIDATE_EVENTS, day)
    evaluation = _facts(store, contract.EVALUATE_MODELS, day)
    feeds = _facts(store, contract.PUBLISH_FEEDS, day)
    runs = records.read(store, day)
    num_done = sum(record["status"] == "done" for record in runs)
    return [
        day,
        *(f"{rows[name]:,}" for name in ("rows_in", "accepted", "quarantined")),
        *(_verdict(evaluation, role) for role in ("ranker", "retrieval")),
        f"{feeds['users_with_feed']:,}",
        f"{sum(record['seconds'] for record in runs):.0f}",
        f"{num_done} of {len(runs)}" if num_done else "nothing to do",
    ]


def _verdict(evaluation: Mapping[str, Any], role: str) -> str:
    """Returns the gate's word, and its metric for the released, the popular and the random one."""
    decision, by_model = evaluation[role], evaluation["metrics"][role]
    released = decisions.entrant(decision)
    values = [
        by_model.get(name, {}).get(decision["metric"])
        for name in (released, "most_popular", "random")
    ]
    numbers = ["    —" if value is None else f"{value:.3f}" for value in values]
    return " ".join([f"{decision['verdict']:8}", *numbers])


def _facts(store: Store, step: contract.Step, day: str) -> Mapping[str, Any]:
    ref = store.head(step.name, day)
    return {} if ref is None else store.manifest(ref)["facts"]


def _example_feeds(out: Console, store: Store, config: Config) -> None:
    live = releases.live(store)
    if live is None:
        raise BadDataError("The last day ended without anything live.")
    users = published.example_users(store, live.feeds, _NUM_EXAMPLES)
    for feed in published.feeds_of(store, config, live.feeds, users):
        out.print(f"\n[bold]Feed of user {escape(feed.user)} on {feed.day}[/bold]")
        for item in feed.items[:_EXAMPLE_PLACES]:
            explanation = why(store, config, feed.user, item.post)
            post = f"{item.post} ({item.title})" if item.title else item.post
            reasons = " ".join(explanation.reasons[:2])
            out.print(escape(f"  {item.rank:2}. post {post}: {reasons}"), soft_wrap=True)
    out.print()
