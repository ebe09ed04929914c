"""Ports that are reserved stay so while the server that listens on them is restarted."""

import socket
import subprocess
import sys

import pytest

from dev.process import ports

RESERVE = (
    "import sys; from dev.process.ports import reserve; print(reserve(int(sys.argv[1])), flush=True); sys.stdin.read()"
)


@pytest.fixture
def port() -> int:
    """A port that this process has reserved."""
    (found,) = ports.reserve_free(1)
    return found


def _listener(port: int) -> socket.socket:
    return socket.create_server((ports.LOOPBACK, port))  # with SO_REUSEADDR, as every server


def _reserve_in_another_process(port: int) -> str:
    command = [sys.executable, "-c", RESERVE, str(port)]
    return subprocess.run(command, input="", capture_output=True, text=True, check=True).stdout.strip()


def test_reserved_port_when_another_process_asks_for_it_is_taken_until_it_is_released(port: int) -> None:
    assert not ports.reserve(port)
    assert _reserve_in_another_process(port) == "False"
    ports.release([port])
    assert _reserve_in_another_process(port) == "True"
    assert ports.reserve(port)  # the other process has ended
    ports.release([port])


def test_reserved_port_when_its_server_is_restarted_can_be_listened_on_again(port: int) -> None:
    for _ in range(2):
        with _listener(port), socket.create_connection((ports.LOOPBACK, port)):
            assert not ports.is_free(port)
        assert _reserve_in_another_process(port) == "False"
    ports.release([port])


def test_port_when_another_program_listens_on_it_cannot_be_reserved(port: int) -> None:
    ports.release([port])
    with _listener(port):
        assert not ports.reserve(port)


def test_free_ports_when_reserved_twice_are_different() -> None:
    first, second = ports.reserve_free(50), ports.reserve_free(50)
    assert len({*first, *second}) == 100
    ports.release([*first, *second])
