import socket

import pytest

from components.errors import TryAgainError
from components.local import ports


def test_a_port_in_use_is_not_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with ports.reserved_port(port) as other:
            assert other not in (0, port)


def test_two_that_start_in_the_same_second_get_a_port_each():
    with ports.reserved_port(0) as port:
        pass
    with ports.reserved_port(port) as first, ports.reserved_port(port) as second:
        assert first == port
        assert second not in (0, port)
        with socket.socket() as server:  # a claim keeps nobody from listening
            server.bind(("127.0.0.1", first))
            server.listen()
    with ports.reserved_port(port) as again:
        assert again == port


def test_without_a_free_port_another_try_is_worth_it(monkeypatch):
    monkeypatch.setattr(ports, "_PORT_TRIES", 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TryAgainError, match="No port is free"), ports.reserved_port(port):
            pass
