"""Commands about releases: `phoenix releases list`, `show`, `verify`, `rollback`, `restore`."""

from typing import TYPE_CHECKING, Annotated

import typer

from components.cli.options import ConfigOption, JsonOption, ReleaseArgument, open_deployment
from components.cli.output import show

if TYPE_CHECKING:
    from components.store.pointers import Entry

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the log for ever.")]
ActorOption = Annotated[
    str | None, typer.Option("--actor", help="Who decided; by default this user and host.")
]

commands = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@commands.command("list", epilog="Example: `phoenix releases list --json`")
def list_releases(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the releases: day, models, which one is live, what each earned, which were withdrawn."""
    from components.earnings import history
    from components.release import releases

    _, store = open_deployment(config)
    days = history.by_release(store)
    rows = [
        {**row, "earned": history.summary(days[row["digest"]]) if row["digest"] in days else None}
        for row in releases.list_releases(store)
    ]
    show(as_json, rows, lambda view: view.releases(rows))


@commands.command("show", epilog="Example: `phoenix releases show 2026-01-03`")
def show_release(
    release: ReleaseArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show all that is known of one release: models, decision, when it was live and why."""
    from components.release import releases

    _, store = open_deployment(config)
    facts = releases.show(store, release)
    show(as_json, facts, lambda view: view.facts(facts))


@commands.command(epilog="Example: `phoenix releases verify 2026-01-03`")
def verify(
    release: ReleaseArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Read every byte of a release and of its feeds against the recorded digests."""
    from components.release import releases

    _, store = open_deployment(config)
    facts = releases.verify(store, releases.find(store, release))
    show(as_json, facts, lambda view: view.facts(facts))


@commands.command(
    epilog='Example: `phoenix releases rollback 2026-01-02 --reason "clicks fell by a third"`'
)
def rollback(
    release: ReleaseArgument,
    reason: ReasonOption,
    config: ConfigOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an earlier release and its feeds live again, and withdraw everything newer."""
    from components.release import releases
    from components.serving.sinks.all_sinks import PartialWriter

    settings, store = open_deployment(config)
    serve = PartialWriter(settings)
    entry = releases.rollback(store, release, reason, actor, serve=serve)
    _show_move(as_json, entry, "withdrawn")
    serve.refuse_failures()


@commands.command(epilog='Example: `phoenix releases restore --reason "the counter was broken"`')
def restore(
    reason: ReasonOption,
    config: ConfigOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Undo the newest rollback: what was live before is live again, and nothing is withdrawn."""
    from components.release import releases
    from components.serving.sinks.all_sinks import PartialWriter

    settings, store = open_deployment(config)
    serve = PartialWriter(settings)
    entry = releases.restore(store, reason, actor, serve=serve)
    _show_move(as_json, entry, "restored")
    serve.refuse_failures()


def _show_move(as_json: bool, entry: "Entry", changed: str) -> None:
    """Shows a move of what is live, and the releases that it withdrew or restored."""
    facts = {
        "live": entry.value["day"],
        "release": entry.value["release"]["digest"],
        changed: entry.value.get(changed, []),
        "reason": entry.reason,
        "actor": entry.actor,
        "moved_at": entry.moved_at,
    }
    show(as_json, facts, lambda view: view.facts(facts))
