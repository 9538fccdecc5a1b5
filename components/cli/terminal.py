"""The output of the command line: tables and colours for a person, plain text for a pipe."""

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components import contract

if TYPE_CHECKING:
    from components.cli.doctor.findings import Finding
    from components.profiling.initialisation import Initialised
    from components.serving.published import Feed
    from components.serving.why import Explanation

_PLAIN_WIDTH = 200  # a pipe has no width, and lines must not be broken there
_SIGNS = {  # from good to bad
    "fine": "[green]✓[/green]",
    "warning": "[yellow]![/yellow]",
    "error": "[bold red]✗[/bold red]",
}


def console() -> Console:
    """Returns a console on standard output, without colours and line breaks if it is a pipe."""
    is_terminal = sys.stdout.isatty()
    return Console(
        width=None if is_terminal else _PLAIN_WIDTH,
        no_color=None if is_terminal else True,
        highlight=False,
    )


def feed(user_feed: "Feed") -> None:
    """Shows a feed, a line per place."""
    from components.serving.published import short_reason  # reads Parquet: `releases` need not

    state = "live" if user_feed.is_live else "not live"
    release = user_feed.release[:12]
    kind = user_feed.kind_in_words
    title = f"Feed of user {user_feed.user} on {user_feed.day} ({kind}; {state}, release {release})"
    has_titles = any(item.title for item in user_feed.items)
    rows = [
        (
            str(item.rank),
            f"{item.score:.4f}",
            item.post,
            *([item.title or ""] if has_titles else []),
            item.author,
            item.source,
            short_reason(item),
        )
        for item in user_feed.items
    ]
    columns = ["#", "score", "post", *(["title"] if has_titles else []), "author", "source", "why"]
    _table(columns, rows, title=title, numeric=2)
    example = escape(f"phoenix why {shlex.quote(user_feed.user)} POST explains a place.")
    console().print(f"[dim]{example}[/dim]")


def initialised(result: "Initialised") -> None:
    """Shows a configuration that was written for a log, and how it reads the first rows."""
    out, preview = console(), result.preview
    names = result.config.action_names
    rows = [
        (
            row.user,
            row.post,
            f"{row.shown_at:%Y-%m-%d %H:%M:%S}",
            ", ".join(names[bit] for bit in row.actions) or "nothing",
        )
        for row in preview.rows
    ]
    out.print(escape(result.title))
    _table(("user", "post", "shown at (UTC)", "did"), rows, title="The first rows", numeric=0)
    for rule, count, example in preview.reasons:
        out.print(f"{_SIGNS['warning']} {count:,} of {preview.num_rows:,} rows would be refused")
        out.print(f"    {rule}: {escape(example)}")
    for note in result.notes:
        out.print(f"{_SIGNS['warning']} {escape(note)}")
    out.print(f"Written: {escape(str(result.path))}")
    if not preview.rows:
        out.print(f"{_SIGNS['error']} No row can be read so: correct the file before going on.")
        return
    out.print("[dim]Look through it. From there to feeds:[/dim]")
    for line in _commands_to_feeds(result):
        # Not broken at the edge of the window: these lines are to be copied.
        out.print(f"[dim]  {escape(line)}[/dim]", soft_wrap=True)


def _commands_to_feeds(result: "Initialised") -> list[str]:
    """Returns the commands that follow, line by line."""
    first, last = result.config.first_day, result.last_day
    lines = [
        f"export PHOENIX_CONFIG={shlex.quote(str(result.path))}",
        "phoenix doctor",
        f"phoenix data --days {first}..{last}",
    ]
    if first == last:
        return [*lines, "# Models are judged on a day after those that they learned: wait for it."]
    steps = " ".join(
        name for name, each in contract.STEPS.items() if each.dag is not contract.Dag.DATA
    )
    lines.append(f"for step in {steps}; do phoenix step $step --day {last}; done")
    return lines + [f"phoenix feed {shlex.quote(row.user)}" for row in result.preview.rows[:1]]


def tuned(value: Mapping[str, Any]) -> None:
    """Shows the settings that a search judged, what came of it, and where they were written."""
    rows = []
    for each in value["settings"]:
        metrics = list(each["metrics"].values())
        means = ["-" if one["mean"] is None else f"{one['mean']:.4f}" for one in metrics]
        gains = ["" if one["gain"] is None else _gain(one) for one in metrics]
        cells = [cell for pair in zip(means, gains, strict=True) for cell in pair]
        rows.append((each["settings"], *cells, each["end"] or ""))
    names = [name for metric in value["settings"][0]["metrics"] for name in (metric, "gain")]
    _table(("settings", *names, ""), rows, numeric=1 + len(names), first_numeric=1)
    out = console()
    out.print(escape(value["result"]))
    if value["written"]:
        out.print(f"Written: {escape(value['written'])}")
        out.print("[dim]The next training follows it once it is the configuration.[/dim]")


def _gain(metric: Mapping[str, Any]) -> str:
    if metric["interval"] is None:
        return f"{metric['gain']:+.4f}"
    low, high = metric["interval"]
    return f"{metric['gain']:+.4f} ({low:+.4f} to {high:+.4f})"


def why(explanation: "Explanation") -> None:
    """Shows the reasons for the place of a post in a feed, or for its absence."""
    out = console()
    state = "live" if explanation.is_live else "not live"
    item = explanation.item
    place = f"place {item.rank} of {explanation.num_items}" if item else "not in the feed"
    name = f"{explanation.post} ({explanation.title})" if explanation.title else explanation.post
    who = escape(f"Post {name} for user {explanation.user} on {explanation.day}: {place}")
    out.print(f"[bold]{who}[/bold] [dim]({state}, release {explanation.release[:12]})[/dim]")
    for reason in explanation.reasons:
        out.print(f"  {escape(reason)}", soft_wrap=True)
    if item is None:
        return
    rows = [
        (each.action, f"{each.probability:.2%}", f"{each.weight:g}", f"{each.value:+.5f}")
        for each in item.contributions
    ]
    _table(("action", "probability", "weight", "adds"), rows, numeric=4, first_numeric=1)
    # Scores can be negative, and multipliers below 1 must lower them all the same.
    out.print(
        f"  The sum {item.weighted_sum:+.5f}, moved above 0, is {item.base_score:.5f}; times "
        f"{item.diversity_multiplier:.3f} for author diversity it is [bold]{item.score:.5f}[/bold]."
    )
    if item.rules:
        out.print(f"  rules: {', '.join(item.rules)}")


def releases(rows: Sequence[Mapping[str, Any]]) -> None:
    """Shows the releases, a line per day."""
    if not rows:
        console().print("There is no release yet.")
        return
    cells = [
        (
            row["day"],
            row["digest"][:12],
            _released(row["retrieval"]),
            _released(row["ranker"]),
            ", ".join(word for word in ("live", "gone") if row[f"is_{word}"]),
            _earned(row["earned"]),
            row["withdrawn_by"] or "",
        )
        for row in rows
    ]
    _table(("day", "digest", "retrieval", "ranker", "state", "earned", "withdrawn by"), cells)
    for row in rows:
        if row["is_gone"]:
            console().print(
                f"The files of the release of {row['day']} are gone: "
                f"`phoenix step {contract.PUBLISH_RELEASE.name} --day {row['day']}` makes it again."
            )


def _earned(earned: Mapping[str, Any] | None) -> str:
    """Returns what a release earned per impression, and the verdict beside the one before."""
    if earned is None:
        return ""
    verdict = "" if earned["verdict"] is None else f", {earned['verdict']}"
    return f"{earned['mean']:.4f} of {earned['impressions']:,.0f}{verdict}"


def _released(model: Mapping[str, Any] | None) -> str:
    """Returns the model of a release, the verdict on it, and the figure of the decision."""
    if model is None:
        return ""
    figure = model["figure"]
    told = "" if figure is None else f", {figure['metric']} {figure['value']:.4f}"
    return f"{model['model']} ({model['verdict']}{told})"


def findings(findings: "Sequence[Finding]") -> None:
    """Shows the findings of an examination, the worst last, where the eye is."""
    out = console()
    order = list(_SIGNS)
    for finding in sorted(findings, key=lambda finding: order.index(finding.severity)):
        sign = _SIGNS[finding.severity]
        out.print(f"{sign} [bold]{finding.check}[/bold] {escape(finding.message)}", soft_wrap=True)
        if finding.advice:
            out.print(f"    [dim]→ {escape(finding.advice)}[/dim]", soft_wrap=True)
    counts = {level: sum(each.severity == level for each in findings) for level in _SIGNS}
    out.print(f"{counts['error']} errors, {counts['warning']} warnings, {counts['fine']} fine.")


def quarantine(day_account: Mapping[str, Any]) -> None:
    """Shows the account of a day and the rules that rows of it break."""
    parts = ", ".join(
        f"{day_account[name]:,} {name}" for name in ("accepted", "duplicate", "quarantined", "late")
    )
    title = f"{day_account['day']}: {day_account['rows_in']:,} rows in, {parts}"
    if day_account["folded"]:
        title += f" ({day_account['folded']:,} duplicates are actions of impressions before them)"
    _rules(day_account["rules"], title)
    if day_account["rules_of_posts"]:
        _rules(day_account["rules_of_posts"], "rows of post files, in no account of events")


def _rules(rules: Sequence[Mapping[str, Any]], title: str) -> None:
    if not rules:
        console().print(escape(f"{title}. No row breaks a rule."))
        return
    rows = [
        (rule["rule"], f"{rule['rows']:,}", rule["expected"], ", ".join(rule["for_example"]))
        for rule in rules
    ]
    columns = ("rule", "rows", "expected", "for example")
    _table(columns, rows, title=title, numeric=2, first_numeric=1)


def quarantined_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Shows quarantined rows, a line each."""
    names = ("rule", "place", "detail", "user", "post_id", "surface", "dwell_seconds", "shown_at")
    cells = [["—" if row[name] is None else str(row[name]) for name in names] for row in rows]
    _table([name.replace("_", " ") for name in names], cells)


def erasure(summary: Mapping[str, Any]) -> None:
    """Shows the artifacts that still hold rows of forgotten users."""
    rows = [
        (
            trace["kind"],
            trace["partition"],
            trace["key"][:12],
            _state(trace),
            trace["file"],
            f"{trace['rows']:,}" if trace["is_readable"] else "unreadable",
            f"{trace['users']:,}",
        )
        for trace in summary["traces"]
    ]
    current, old = summary["rows_in_current_artifacts"], summary["rows_in_old_artifacts"]
    title = (
        f"{summary['forgotten']:,} forgotten users: {current:,} rows in current artifacts, {old:,} "
        "in old versions"
    )
    columns = ("kind", "partition", "version", "state", "file", "rows", "users")
    _table(columns, rows, title=title, numeric=7, first_numeric=5)
    if current:
        console().print(f"Run these days again: {', '.join(summary['days_to_run_again'])}.")
    entries = summary["entries_without_rows"]
    if entries["count"]:
        console().print(
            f"{entries['count']:,} entries of the list name nobody in the store; for example "
            f"{', '.join(entries['for_example'])}: forgotten already, or no id of this log."
        )


def _state(version: Mapping[str, Any]) -> str:
    if version["is_current"]:
        return "current"
    return "set aside" if version["folder"].startswith("damaged/") else "old version"


def removal(summary: Mapping[str, Any]) -> None:
    """Shows old versions that hold forgotten users: what is gone, what may go, and what stays."""
    out = console()
    versions, is_dry = summary["versions"], summary["is_dry"]
    rows = []
    for version in versions:
        fate = "would be removed" if is_dry else "removed"
        if version["obstacle"]:
            fate = f"stays. {version['obstacle']}"
        elif version["loss"]:
            fate += f"; ends {version['loss']}"
        unreadable = version["unreadable_files"]
        num_rows = f"{version['rows']:,}" + (f", {unreadable} unreadable" if unreadable else "")
        rows.append((version["kind"], version["partition"], version["key"][:12], num_rows, fate))
    title = f"{len(versions):,} old versions hold forgotten users"
    _table(("kind", "partition", "version", "rows", "state"), rows, title=title)
    if is_dry and any(not version["obstacle"] for version in versions):
        out.print("Nothing was removed. `phoenix gc --erased --remove` does it.")
    if summary["run_first"]:
        out.print("What is current holds forgotten users, too. Run, in this order:")
        for command in summary["run_first"]:
            out.print(f"  {command}", soft_wrap=True)


def facts(values: Mapping[str, Any]) -> None:
    """Shows nested values, one indented line each."""
    out = console()
    for line in _lines(values, 0):
        out.print(line, soft_wrap=True)


def _lines(value: object, depth: int) -> Iterable[str]:
    """Yields a line per value; nested mappings and lists are indented below their name."""
    pad = "  " * depth
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, Mapping | list) and inner:
                yield f"{pad}[bold]{escape(str(name))}[/bold]"
                yield from _lines(inner, depth + 1)
            else:
                yield f"{pad}{escape(str(name))}: {escape(str(inner))}"
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, Mapping | list):
                yield f"{pad}-"
                yield from _lines(inner, depth + 1)
            else:
                yield f"{pad}- {escape(str(inner))}"


def _table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    numeric: int = 0,
    first_numeric: int = 0,
) -> None:
    """Prints a table.

    Args:
      columns: Names of the columns.
      rows: The cells of each row, as text.
      title: A line above the table.
      numeric: Columns from `first_numeric` to before this one hold numbers.
      first_numeric: The first column with numbers.
    """
    out = console()
    if title:
        out.print(f"[bold]{escape(title)}[/bold]")
    table = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False)
    for number, name in enumerate(columns):
        is_number = first_numeric <= number < numeric
        table.add_column(name, justify="right" if is_number else "left", no_wrap=is_number)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    out.print(table)
