"""Checks of the sinks: whether each has its address, and serves what is live."""

import os
from collections.abc import Iterator

from components.cli.doctor.findings import Finding, fine, unfit, warning
from components.errors import BadConfigurationError, BadDataError
from components.release import releases
from components.serving.sinks import all_sinks
from components.settings.config import Config
from components.store.artifacts import Store


def sink_findings(config: Config) -> Iterator[Finding]:
    """Asks every sink whose address is set here for the live feeds."""
    sinks, reachable = config.publish_feeds.sinks, []
    for sink in sinks:
        variable = sink.dsn_variable if sink.kind == "postgres" else sink.url_variable
        if os.environ.get(variable):
            reachable.append(sink)
        else:
            # A warning alone: the step may run elsewhere, with an environment that is not this one.
            yield warning(
                "sinks",
                f"The sink {sink.kind} needs the environment variable {variable}, not set here.",
                "Set it where the step publish_feeds runs.",
            )
    section = config.publish_feeds.model_copy(update={"sinks": tuple(reachable)})
    yield from _compared(config.model_copy(update={"publish_feeds": section}))


def _compared(config: Config) -> Iterator[Finding]:
    """Compares the sinks with what is live."""
    try:
        store = Store(config.store)
        live = releases.live(store)
        if live is None:
            return
        feeds = store.artifact(live.feeds)
        states = list(all_sinks.compared(config, feeds))
    except (BadDataError, BadConfigurationError, OSError):
        return  # the checks of the store tell of it
    for name, state in states:
        if state is True:
            yield fine("sinks", f"{name} serves the live feeds of {live.day}.")
        elif state is False:
            yield warning(
                "sinks",
                f"{name} does not serve the live feeds of {live.day}, or not all of them.",
                "`phoenix feeds refresh` writes them.",
            )
        elif isinstance(state, BadConfigurationError):
            yield unfit("sinks", str(state), "Mend the address, the rights or the configuration.")
        else:
            yield warning("sinks", str(state), "Ask again when it is there: `phoenix doctor`.")
