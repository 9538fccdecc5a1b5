"""A small client of Airflow's REST API, with the standard library alone."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from components.errors import TryAgainError

_PAGE = 100  # objects per request; Airflow's own limit
_TOKEN_SECONDS = 3_600  # tokens live for a day
_ANSWER_SECONDS = 30.0  # a busy machine answers late


class RefusedError(TryAgainError):
    """Airflow answered, and said no."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AirflowClient:
    """Talks to one Airflow as one user."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._credentials = {"username": user, "password": password}
        self._token = ""
        self._token_at = float("-inf")

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """Returns the answer to GET `/api/v2/<path>`; all four methods raise the same errors.

        Raises:
          RefusedError: If Airflow answers with an error.
          TryAgainError: If nobody answers.
        """
        text = urllib.parse.urlencode(query, doseq=True)
        return self._call("GET", f"{path}?{text}" if text else path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer to POST."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer to PATCH."""
        return self._call("PATCH", path, body)

    def put(self, path: str) -> dict[str, Any]:
        """Returns the answer to PUT."""
        return self._call("PUT", path, None)

    def every(self, path: str, name: str, **query: object) -> Iterator[dict[str, Any]]:
        """Yields all objects of a list, page by page; `name` is their key in the answer."""
        offset = 0
        while True:
            page = self.get(path, limit=_PAGE, offset=offset, **query)
            yield from page[name]
            offset += _PAGE
            if offset >= page["total_entries"]:
                return

    def health(self) -> dict[str, str | None]:
        """Returns the health of each of Airflow's parts; `{}` while nobody answers."""
        try:
            report = _answer(urllib.request.Request(f"{self.url}/api/v2/monitor/health"))
        except (OSError, ValueError):
            return {}
        return {part: state["status"] for part, state in report.items()}

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        if time.monotonic() - self._token_at > _TOKEN_SECONDS:
            answer = self._send("POST", "/auth/token", self._credentials)
            self._token, self._token_at = answer["access_token"], time.monotonic()
        return self._send(method, f"/api/v2/{path}", body)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            return _answer(request)
        except urllib.error.HTTPError as error:  # before OSError, whose subclass it is
            detail = error.read().decode(errors="replace")[:1_000]
            raise RefusedError(
                f"Airflow refused {method} {path} ({error.code}): {detail}", error.code
            ) from error
        except OSError as error:
            raise TryAgainError(f"Airflow at {self.url} does not answer: {error}") from error


def _answer(request: urllib.request.Request) -> dict[str, Any]:
    """Sends a request; returns the JSON object of the answer, `{}` if it has no body."""
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:
        content = response.read()
    return json.loads(content) if content else {}
