"""Commands that show and explain the published feeds: `phoenix feed` and `phoenix why`."""

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

commands = typer.Typer(rich_markup_mode="markdown")


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
