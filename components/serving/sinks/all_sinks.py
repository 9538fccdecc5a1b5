"""All sinks of a configuration: written, compared, mended.

What serves the feeds already is left alone, so writing again costs a comparison, mends what was
lost, and fills a sink that was added later.
"""

import logging
from collections.abc import Callable, Iterator

from components.errors import BadConfigurationError, StepError, TryAgainError
from components.serving.sinks.postgres_sink import PostgresFeeds
from components.serving.sinks.redis_sink import RedisFeeds
from components.serving.sinks.sink_feeds import Sink, SinkFeeds
from components.settings.config import Config
from components.settings.feeds import PostgresSink
from components.store.artifacts import Artifact
from components.store.leases import Lease

logger = logging.getLogger(__name__)

_FAILURES = (BadConfigurationError, TryAgainError)  # of a sink; others are of the feeds


def of(config: Config) -> list[Sink]:
    """Returns the sinks of a configuration."""
    return [
        PostgresFeeds(sink) if isinstance(sink, PostgresSink) else RedisFeeds(sink)
        for sink in config.publish_feeds.sinks
    ]


def write_all(config: Config, feeds: Artifact, may_switch: Callable[[], None]) -> list[str]:
    """Makes every sink serve `feeds`; returns the names of those that did not yet.

    Raises:
      BadConfigurationError: As of `Sink.write`.
      TryAgainError: As of `Sink.write`.
    """
    wanted = SinkFeeds.of(config, feeds)
    return [sink.name for sink in of(config) if _write(sink, wanted, may_switch)]


class PartialWriter:
    """Writes the sinks that can be written, for a rollback, which waits for no sink.

    Called as `releases.Serve`; what failed is kept in `failures`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.failures: list[StepError] = []

    def __call__(self, feeds: Artifact, lease: Lease) -> list[str]:
        """Makes every sink serve `feeds` that can; returns those that did not yet, or failed.

        Raises:
          BadConfigurationError: If all sinks failed.
          TryAgainError: If all sinks failed.
        """
        wanted, sinks = SinkFeeds.of(self._config, feeds), of(self._config)
        others = []
        for sink in sinks:
            try:
                if _write(sink, wanted, lease.check):
                    others.append(sink.name)
            except _FAILURES as error:
                logger.warning("%s", error)
                self.failures.append(error)
                others.append(sink.name)
        if self.failures and len(self.failures) == len(sinks):
            raise self.failures[0]
        return others

    def refuse_failures(self) -> None:
        """Tells of the sinks that still serve what was live before.

        Raises:
          StepError: Of the class of the first failure, if there is one.
        """
        if self.failures:
            raise type(self.failures[0])(
                "What is live has changed, but not in every sink: "
                f"{' '.join(map(str, self.failures))} The same command again completes it, or "
                "`phoenix feeds refresh`."
            )


def compared(config: Config, feeds: Artifact) -> Iterator[tuple[str, bool | StepError]]:
    """Yields the name of every sink, and whether it serves `feeds`, or why that is not known."""
    wanted = SinkFeeds.of(config, feeds)
    for sink in of(config):
        try:
            yield sink.name, sink.serves(wanted)
        except _FAILURES as error:
            yield sink.name, error


def _write(sink: Sink, feeds: SinkFeeds, may_switch: Callable[[], None]) -> bool:
    """Makes a sink serve the feeds; returns whether it did not yet."""
    day = feeds.artifact.ref.partition
    if sink.serves(feeds):
        logger.info("%s serves the feeds of %s already.", sink.name, day)
        return False
    logger.info("Writing the feeds of %s to %s.", day, sink.name)
    sink.write(feeds, may_switch)
    return True
