"""Commands about rows that broke a rule: `phoenix quarantine list`, `show`, `export`, `replay`."""

from pathlib import Path
from typing import Annotated

import typer

from components.cli.options import (
    ConfigOption,
    JsonOption,
    RequiredDayOption,
    open_deployment,
    parse_day,
)
from components.cli.output import show

commands = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@commands.command("list", epilog="Example: `phoenix quarantine list --day 2026-01-03`")
def list_rules(
    day: RequiredDayOption, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the rules that rows of a day break, by the configuration as it is now."""
    from components.cli import quarantine
    from components.rows.day_parts.settled_parts import settled_parts
    from components.rows.quarantine import summary

    settings, store = open_deployment(config)
    counts = quarantine.counts_of(settled_parts(store, settings, parse_day(day)))
    posts = quarantine.rejected_posts(store, settings, parse_day(day))
    value = {
        "day": day,
        **counts.account,
        "folded": counts.repetitions.num_folded,
        "rules": quarantine.broken_rules(counts.rules),
        "rules_of_posts": quarantine.broken_rules(summary(posts)),
    }
    show(as_json, value, lambda view: view.quarantine(value))


@commands.command("show", epilog="Example: `phoenix quarantine show --day 2026-01-03`")
def show_rows(
    day: RequiredDayOption,
    rule: Annotated[str | None, typer.Option("--rule", help="Rows of this rule alone.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many rows.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show rows of a day that break a rule, users masked unless `report.show_user_ids`."""
    from components.cli import quarantine
    from components.rows.day_parts.settled_parts import settled_parts

    settings, store = open_deployment(config)
    parts = settled_parts(store, settings, parse_day(day))
    posts = quarantine.rejected_posts(store, settings, parse_day(day))
    rows = quarantine.masked_rows(parts, settings, rule=rule, limit=limit, posts=posts)
    show(as_json, rows, lambda view: view.quarantined_rows(rows))


@commands.command(
    epilog="Example: `phoenix quarantine export --day 2026-01-03 --to repairs/2026-01-03.csv`"
)
def export(
    day: RequiredDayOption,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The CSV file to write.")],
    config: ConfigOption = None,
) -> None:
    """Write the rows of a day that break a rule as CSV, with what is wrong, to be mended."""
    from components.cli import quarantine
    from components.rows.day_parts.settled_parts import settled_parts

    settings, store = open_deployment(config)
    count = quarantine.export(settled_parts(store, settings, parse_day(day)), settings, to)
    typer.echo(
        f"{count} rows in {to}. Mend them, delete the others, put the file into "
        f"`validate_events.repairs` as {day}.csv, then: phoenix quarantine replay --day {day}"
    )


@commands.command(epilog="Example: `phoenix quarantine replay --day 2026-01-03`")
def replay(
    day: RequiredDayOption, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Put all rows of a day through the rules again, after a fix; the day gets a new version.

    A fix is a changed rule of the configuration, or a file of corrected rows in
    `validate_events.repairs`. Rows that still break a rule stay. A mended source is read by
    `phoenix step ingest_events` first.
    """
    from components.cli import quarantine

    settings, store = open_deployment(config)
    facts = quarantine.replay(store, settings, parse_day(day))
    show(as_json, facts, lambda view: view.facts(facts))
