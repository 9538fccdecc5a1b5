"""Redis: one key per user, below the load that `<prefix>current` names.

A load is one filling of the sink and has keys of its own: `<prefix><load>:<user>`, and
`<prefix>default:<load>` for everybody without one. A reader takes the load from `<prefix>current`,
then the key. The hash `<prefix>loads` lists the loads that were begun, so that none is forgotten.
"""

import json
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from components.errors import BadConfigurationError, StepError, TryAgainError
from components.serving.sinks.sink_feeds import BATCH, SinkFeeds, address, not_installed
from components.settings.feeds import RedisSink

if TYPE_CHECKING:
    import redis  # of the extra `sinks`

logger = logging.getLogger(__name__)

_DAY_SECONDS = 86_400
_GRACE_SECONDS = 60  # a reader who took the load before the switch still finds its keys
# All or nothing, and only if nobody switched since `current` was read. What `loads` holds at this
# moment and is not the new load is over: who began it read an earlier `current`.
_SWITCH = """
local current = redis.call('GET', KEYS[1]) or ''
if current ~= ARGV[2] then
  if current ~= ARGV[1] or redis.call('EXISTS', KEYS[3]) == 0 then return false end
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
return redis.call('HKEYS', KEYS[2])
"""
# Replies by which a server says that it cannot now: full disk, replication, failover.
_PASSING = ("OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN", "BUSY", "READONLY", "CLUSTERDOWN")


class RedisFeeds:
    """The feeds of one sink in Redis."""

    def __init__(self, sink: RedisSink) -> None:
        self.name = f"the sink {sink.prefix} in Redis"
        self._sink = sink
        self._current, self._loads = f"{sink.prefix}current", f"{sink.prefix}loads"

    def serves(self, feeds: SinkFeeds) -> bool:
        """Returns whether the load holds these feeds, every user, for long enough: see `Sink`."""
        with self._connect() as client:
            load = _text(client.get(self._current))
            facts = json.loads(_text(client.hget(self._loads, load)) or "{}")
            if facts.get("version") != feeds.version or not client.exists(self._default(load)):
                return False
            if 0 <= int(client.ttl(self._current)) < self._sink.ttl_days * _DAY_SECONDS / 2:
                return False
            # A scan may name a key twice.
            return facts["num_users"] == len(set(self._keys(client, load)))

    def write(self, feeds: SinkFeeds, may_switch: Callable[[], None]) -> None:
        """Writes the keys of a new load and lets `current` name it: see `Sink`."""
        load = f"{feeds.version}-{secrets.token_hex(4)}"
        seconds = int(self._sink.ttl_days * _DAY_SECONDS)
        with self._connect() as client:
            # In this order: see `_SWITCH`.
            before = _text(client.get(self._current))
            client.hset(self._loads, load, "{}")
            columns = feeds.columns[1:]
            pipeline = client.pipeline(transaction=False)
            num_users = 0
            for user, items in _by_user(feeds.rows(), columns):
                # The keys outlive `current`, which must never name what is gone.
                pipeline.set(self._key(load, user), json.dumps(items), ex=seconds + _DAY_SECONDS)
                num_users += 1
                if num_users % BATCH == 0:
                    pipeline.execute()
            pipeline.execute()
            default = [_place(columns, row) for row in feeds.default_rows()]
            client.set(self._default(load), json.dumps(default), ex=seconds + _DAY_SECONDS)
            may_switch()
            facts = json.dumps({"version": feeds.version, "num_users": num_users})
            keys = (self._current, self._loads, self._default(load))
            loads = client.eval(_SWITCH, len(keys), *keys, before, load, seconds, facts)
            if loads is None:
                raise TryAgainError(f"Somebody else wrote {self.name} meanwhile: run this again.")
            self._clean_up(client, {before, *map(_text, loads)} - {"", load})

    def _clean_up(self, client: "redis.Redis", loads: Iterable[str]) -> None:
        """Lets the keys of earlier loads expire soon; a trouble here is left to the next time."""
        import redis

        try:
            for load in loads:
                pipeline = client.pipeline(transaction=False)
                for number, key in enumerate(self._keys(client, load), start=1):
                    pipeline.expire(key, _GRACE_SECONDS)
                    if number % BATCH == 0:
                        pipeline.execute()
                pipeline.expire(self._default(load), _GRACE_SECONDS)
                pipeline.hdel(self._loads, load)
                pipeline.execute()
        except redis.RedisError as error:
            logger.warning(
                "%s is written; earlier keys are left to the next time: %s", self.name, error
            )

    def _key(self, load: str, user: str) -> str:
        return f"{self._sink.prefix}{load}:{user}"

    def _default(self, load: str) -> str:
        return f"{self._sink.prefix}default:{load}"

    def _keys(self, client: "redis.Redis", load: str) -> Iterator[bytes]:
        """Yields the keys of the users of a load; SCAN never holds up the readers."""
        pattern = re.sub(r"([\\*?\[\]])", r"\\\1", f"{self._sink.prefix}{load}:") + "*"
        return client.scan_iter(pattern, count=BATCH)

    @contextmanager
    def _connect(self) -> Iterator["redis.Redis"]:
        """Opens a client, and tells of its failures as errors that a person can act on."""
        try:
            import redis
        except ImportError as error:
            raise not_installed("redis") from error
        variable, seconds = self._sink.url_variable, self._sink.timeout_seconds
        url = address(variable)
        try:
            client = redis.Redis.from_url(
                url, socket_timeout=seconds, socket_connect_timeout=seconds
            )
        except ValueError as error:  # its text may hold a part of the password
            raise BadConfigurationError(
                f"The address in {variable} is no URL of Redis: expected "
                "redis://user:password@host:port/number, rediss:// or unix://."
            ) from error
        try:
            with client:
                yield client
        except redis.RedisError as error:
            raise self._told(error) from error

    def _told(self, error: "redis.RedisError") -> StepError:
        from redis import exceptions

        refused = (exceptions.AuthenticationError, exceptions.AuthorizationError)
        if isinstance(error, (*refused, exceptions.NoPermissionError)):
            return BadConfigurationError(
                f"Redis refuses the user in {self._sink.url_variable}: {error}"
            )
        if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError):
            return TryAgainError(f"Redis cannot be reached: {error}")
        passing = (
            exceptions.OutOfMemoryError,
            exceptions.ReadOnlyError,
            exceptions.ClusterDownError,
        )
        if isinstance(error, passing) or str(error).startswith(_PASSING):
            return TryAgainError(f"{self.name} cannot be written now: {error}")
        return BadConfigurationError(f"{self.name} cannot be written: {error}")


def _text(value: object) -> str:
    """Returns a value of Redis as text, "" where there is none."""
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _by_user(
    rows: Iterator[tuple[Any, ...]], columns: Sequence[str]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yields each user with the places of the feed; rows of a user stand together.

    Ids are text, numbers too: JavaScript would round those of 64 bits.
    """
    user, items = None, []
    for row in rows:
        if str(row[0]) != user:
            if user is not None:
                yield user, items
            user, items = str(row[0]), []
        items.append(_place(columns, row[1:]))
    if user is not None:
        yield user, items


def _place(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    place = dict(zip(columns, row, strict=True))
    return place | {name: str(place[name]) for name in ("post_id", "author_id")}
