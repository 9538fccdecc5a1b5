"""What is live, followed: a thread looks at the pointer and the lists several times a second.

A new publication is read beside the one that is served, and takes its place by one assignment, so
no request waits for it and none sees half of it. What cannot be read is said, and what was served
before goes on.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import NamedTuple, Self

from components.api import rules
from components.api.live_feeds import LiveFeeds
from components.api.rules import Rules
from components.release import releases
from components.settings.config import Config
from components.store.artifacts import Store

logger = logging.getLogger(__name__)

SECONDS = 0.2  # between two looks; reading a publication must fit into the rest of a second


class Served(NamedTuple):
    """What one request is answered from."""

    feeds: LiveFeeds | None  # None before the first publication
    rules: Rules


class Follower:
    """What is served now; a context manager, within which it follows the store."""

    def __init__(self, store: Store, config: Config) -> None:
        """Reads what is live.

        Raises:
          BadConfigurationError: If a list of rules cannot be read.
        """
        self._store, self._config = store, config
        self._versions: Mapping[str, tuple[int, ...]] = rules.versions(config)
        self.served = Served(None, Rules.of(config))
        self.problems: dict[str, str] = {}  # by what could not be read
        self._look("feeds", self._follow_feeds)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._is_over.wait(SECONDS):
            self._look("rules", self._follow_rules)
            self._look("feeds", self._follow_feeds)

    def _look(self, what: str, follow: Callable[[], None]) -> None:
        """Looks for something new; a problem ends nothing, and is said once."""
        try:
            follow()
        except Exception as error:  # a thread that ended would leave what is old, without a sign
            if self.problems.get(what) != str(error):
                logger.warning("%s", error)
            self.problems[what] = str(error)
        else:
            self.problems.pop(what, None)

    def _follow_rules(self) -> None:
        # Before the files are read: what is written meanwhile is another version.
        found = rules.versions(self._config)
        if found != self._versions or "rules" in self.problems:
            self.served = self.served._replace(rules=Rules.of(self._config))
            self._versions = found

    def _follow_feeds(self) -> None:
        live, now = releases.live(self._store), self.served.feeds
        if live is None or (now is not None and now.live.entry.number == live.entry.number):
            return
        self.served = self.served._replace(feeds=LiveFeeds(self._store, live))
        logger.info("Serving the feeds of %s.", live.day)
