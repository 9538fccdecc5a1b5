"""Counts and times of requests for Prometheus, taken around the application."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.api.follower import Follower

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5)


class Metrics:
    """The metrics of one server, and the middleware that counts."""

    def __init__(self, follower: Follower) -> None:
        """Registers them apart from those of libraries."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "phoenix_requests", "Requests.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "phoenix_request_seconds",
            "Time of a request.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        for name, text, value in (
            ("live_entry", "Number of the entry of the pointer `live`.", _entry),
            ("feed_users", "Users with a feed of their own.", _users),
        ):
            self._gauge(name, text, value, follower)
        self._gauge("problems", "Things that cannot be read.", lambda f: len(f.problems), follower)

    def _gauge(
        self, name: str, text: str, value: Callable[[Follower], int], follower: Follower
    ) -> None:
        gauge = Gauge(f"phoenix_{name}", text, registry=self._registry)
        gauge.set_function(lambda: value(follower))

    def page(self) -> bytes:
        """Returns all values in the text format of Prometheus."""
        return generate_latest(self._registry)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Returns an application that counts what `app` answers."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            began, status = time.perf_counter(), 500

            async def sent(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, sent)
            finally:
                # The path itself would be one series per user.
                route = getattr(scope.get("route"), "path", "none")
                self._requests.labels(route, status).inc()
                self._seconds.labels(route).observe(time.perf_counter() - began)

        return counted


def _entry(follower: Follower) -> int:
    feeds = follower.served.feeds
    return 0 if feeds is None else feeds.live.entry.number


def _users(follower: Follower) -> int:
    feeds = follower.served.feeds
    return 0 if feeds is None else feeds.num_users
