"""The client of Airflow's REST API, against a small server that speaks like it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from components.errors import TryAgainError
from components.local.client import AirflowClient, RefusedError

RUNS = [{"dag_run_id": f"run {number}"} for number in range(230)]


class Answers(BaseHTTPRequestHandler):
    """Logs in `admin`, pages through RUNS, refuses backfills, and is half healthy."""

    def _answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.endswith("/monitor/health"):
            self._answer(200, {"scheduler": {"status": "healthy"}, "triggerer": {"status": None}})
        elif self.headers["Authorization"] != "Bearer token":
            self._answer(401, {"detail": "Not authenticated"})
        else:
            first, count = int(query["offset"]), int(query["limit"])
            page = RUNS[first : first + count]
            self._answer(200, {"dag_runs": page, "total_entries": len(RUNS)})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/auth/token":
            self._answer(409, {"detail": "Another backfill is running."})
        elif body == {"username": "admin", "password": "right"}:
            self._answer(201, {"access_token": "token"})
        else:
            self._answer(401, {"detail": "Invalid credentials"})

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def url():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_list_is_read_page_by_page_to_its_end(url):
    client = AirflowClient(url, "admin", "right")
    assert list(client.every("dags/~/dagRuns", "dag_runs")) == RUNS


def test_a_wrong_password_is_refused_with_airflows_own_words(url):
    client = AirflowClient(url, "admin", "wrong")
    with pytest.raises(RefusedError, match="Invalid credentials") as raised:
        client.get("dags")
    assert raised.value.status == 401


def test_a_refusal_carries_its_status_and_its_reason(url):
    client = AirflowClient(url, "admin", "right")
    with pytest.raises(RefusedError, match="Another backfill is running") as raised:
        client.post("backfills", {})
    assert raised.value.status == 409


def test_health_is_that_of_each_part(url):
    found = AirflowClient(url, "admin", "right").health()
    assert found == {"scheduler": "healthy", "triggerer": None}


def test_nobody_there_is_worth_another_try_and_not_healthy():
    client = AirflowClient("http://127.0.0.1:9", "admin", "right")  # the port of `discard`
    assert client.health() == {}
    with pytest.raises(TryAgainError, match="does not answer"):
        client.get("dags")
