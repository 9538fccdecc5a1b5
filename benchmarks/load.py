"""A generator of load: GET requests over some connections, each sent when the last was answered.

usage: python -m benchmarks.load PORT SECONDS CONNECTIONS USERS

Prints one JSON object: answers, seconds, times in milliseconds, its own processor time, and how
many answers were no 200.
"""

import asyncio
import json
import random
import sys
import time
from typing import cast

import uvloop

_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "


class _Connection(asyncio.Protocol):
    """One connection; it measures from the first byte sent to the last one received."""

    def __init__(self, paths: list[bytes], until: float) -> None:
        self.milliseconds: list[float] = []
        self.failures = 0
        self.is_done = asyncio.get_running_loop().create_future()
        self._paths, self._until, self._number = paths, until, 0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(_END)
        if not found:
            return
        length = int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        now = time.perf_counter()
        self.milliseconds.append((now - self._sent_at) * 1e3)
        self.failures += not head.startswith(b"HTTP/1.1 200")
        self._received = b""
        if now < self._until:
            self._send()
        else:
            self._transport.close()
            self.is_done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_done.done():
            self.is_done.set_exception(exc or ConnectionError("The server closed."))

    def _send(self) -> None:
        path = self._paths[self._number % len(self._paths)]
        self._number += 1
        self._sent_at = time.perf_counter()
        self._transport.write(path)


async def _load(port: int, seconds: float, connections: int, users: int) -> dict[str, float]:
    draw, loop = random.Random(0), asyncio.get_running_loop()
    ids = [draw.randrange(1, users + 1) for _ in range(10_000)]
    requests = [f"GET /feeds/{user} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for user in ids]
    began = time.perf_counter()
    protocols = []
    for number in range(connections):
        own = requests[number * 97 :] + requests[: number * 97]
        connection = _Connection(own, began + seconds)
        await loop.create_connection(lambda each=connection: each, "127.0.0.1", port)
        protocols.append(connection)
    await asyncio.gather(*(each.is_done for each in protocols))
    taken = sorted(ms for each in protocols for ms in each.milliseconds)
    return {
        "answers": len(taken),
        "seconds": time.perf_counter() - began,
        "p50_ms": taken[len(taken) // 2],
        "p99_ms": taken[len(taken) * 99 // 100],
        "cpu_seconds": time.process_time(),
        "failures": sum(each.failures for each in protocols),
    }


if __name__ == "__main__":
    port, seconds, connections, users = sys.argv[1:]
    print(json.dumps(uvloop.run(_load(int(port), float(seconds), int(connections), int(users)))))
