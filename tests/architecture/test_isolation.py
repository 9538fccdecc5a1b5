"""The tests' own promises: nothing leaves this machine, and a skip names what is missing."""

import socket

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "example.com", "2001:db8::1"])
def test_a_connection_to_another_machine_is_refused(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as client, pytest.raises(PermissionError, match="this machine"):
        client.connect((host, 443))


def test_a_connection_to_this_machine_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())


def test_a_missing_program_skips_by_name_or_fails_in_ci(require_program, monkeypatch) -> None:
    monkeypatch.delenv("PHOENIX_REQUIRE_SYSTEM", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program"):
        require_program("no-such-program")
    monkeypatch.setenv("PHOENIX_REQUIRE_SYSTEM", "1")
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        require_program("no-such-program")


def test_missing_recorded_data_skip_by_name(shared_data) -> None:
    with pytest.raises(pytest.skip.Exception, match="no-such-data"):
        shared_data("no-such-data")
