"""Commands about the published feeds: `phoenix feed`, `why`, `serve` and `feeds refresh`."""

from typing import Annotated

import typer

from components.cli.options import (
    ConfigOption,
    DayOption,
    JsonOption,
    open_deployment,
    parse_optional_day,
)
from components.cli.output import show
from components.errors import BadConfigurationError, BadDataError

commands = typer.Typer(rich_markup_mode="markdown")
all_feeds = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@commands.command(epilog="Example: `phoenix feed 17 --day 2026-01-03`")
def feed(
    user: Annotated[str, typer.Argument(help="The user's id, as the source writes it.")],
    config: ConfigOption = None,
    day: DayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a user's feed, with the reasons for every place in it."""
    from components.serving import published

    settings, store = open_deployment(config)
    user_feed = published.feed(store, settings, user, parse_optional_day(day))
    show(as_json, user_feed.to_json(), lambda view: view.feed(user_feed))


@commands.command(epilog="Example: `phoenix why 17 4031`")
def why(
    user: Annotated[str, typer.Argument(help="The user's id, as the source writes it.")],
    post: Annotated[str, typer.Argument(help="The post's id, as the source writes it.")],
    config: ConfigOption = None,
    day: DayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain why a post has its place in a user's feed, or why it is not there."""
    from components.serving import why as reasons

    settings, store = open_deployment(config)
    explanation = reasons.why(store, settings, user, post, parse_optional_day(day))
    show(as_json, explanation.to_json(), lambda view: view.why(explanation))


@commands.command(epilog="Example: `phoenix serve --port 8480`")
def serve(
    config: ConfigOption = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address; by default `serve.host`.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65_535, help="Port; by default `serve.port`; 0: any."),
    ] = None,
) -> None:
    """Answer requests for feeds over HTTP, always of what is live; the page `/docs` says which."""
    settings, store = open_deployment(config)
    chosen = {name: each for name, each in (("host", host), ("port", port)) if each is not None}
    section = settings.serve.model_copy(update=chosen)
    try:
        from components.api import server
    except ModuleNotFoundError as error:
        raise BadConfigurationError(
            f"`phoenix serve` needs the extra `serve`, which has {error.name}: "
            "pip install 'phoenix-pipeline[serve]'"
        ) from error
    server.serve(store, settings.model_copy(update={"serve": section}))


@all_feeds.command(epilog="Example: `phoenix feeds refresh`")
def refresh(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Write the live feeds to every sink that does not serve all of them."""
    from components.release import releases
    from components.serving.sinks import all_sinks

    settings, store = open_deployment(config)
    with releases.publishing(store) as lease:
        live = releases.live(store)
        if live is None:
            raise BadDataError("Nothing is live yet: run `phoenix run` or publish_feeds first.")
        written = all_sinks.write_all(settings, store.read(live.feeds), lease.check)
    facts = {"live": str(live.day), "feeds": live.feeds.digest, "written": written}
    show(as_json, facts, lambda view: view.facts(facts))
