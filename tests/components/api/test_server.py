import pytest

from components.errors import BadConfigurationError
from components.settings.serve import ServeConfig
from tests.components.api.serving_process import serving
from tests.components.cli.commands import phoenix


@pytest.fixture(autouse=True)
def _no_token(monkeypatch) -> None:
    monkeypatch.delenv("PHOENIX_SERVE_TOKEN", raising=False)


def test_it_ends_with_0_when_it_is_told_to(three_days) -> None:
    with serving(three_days.path) as server:
        assert server.client.get("/healthz").status_code == 200
        assert server.stop() == 0


def test_other_machines_need_a_token(three_days) -> None:
    run = phoenix("serve", "-c", three_days.path, "--host", "0.0.0.0", "--port", "0")
    assert run.returncode == 78
    assert "serve.host: 0.0.0.0 can be reached from other machines" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_port_that_is_taken_is_named(three_days, served) -> None:
    port = served.url.rsplit(":", 1)[1].strip("/")
    run = phoenix("serve", "-c", three_days.path, "--port", port)
    assert run.returncode == 78
    assert f"cannot listen on 127.0.0.1, port {port}" in run.stderr


def test_a_token_is_read_from_a_file_or_the_environment(tmp_path, monkeypatch) -> None:
    from components.api import server

    file = tmp_path / "token"
    file.write_text("from file\n")
    monkeypatch.setenv("PHOENIX_SERVE_TOKEN", "from environment")
    assert server.token_of(ServeConfig()) == "from environment"
    assert server.token_of(ServeConfig(host="0.0.0.0", token_file=file)) == "from file"
    monkeypatch.delenv("PHOENIX_SERVE_TOKEN")
    assert [server.token_of(ServeConfig(host=host)) for host in ("::1", "localhost")] == [None] * 2
    file.write_text("\n")
    with pytest.raises(BadConfigurationError, match="token is empty"):
        server.token_of(ServeConfig(token_file=file))
    with pytest.raises(BadConfigurationError, match="cannot be read"):
        server.token_of(ServeConfig(token_file=tmp_path / "none"))
