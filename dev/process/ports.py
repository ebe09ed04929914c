"""Find free TCP ports on this machine, and the process that uses a port."""

import random
import socket

import psutil

LOOPBACK = "127.0.0.1"
# Below the range of ports that the kernel uses for outgoing connections. In that range, a client that tries to reach a stopped
# server could get the server's port as its own source port, and would then connect to itself.
PORT_RANGE = range(20_000, 30_000)


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Return True if a server can listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def find_free(count: int) -> list[int]:
    """Return `count` different free ports. Raises OSError if there are not enough."""
    found: list[int] = []
    for port in random.sample(PORT_RANGE, len(PORT_RANGE)):
        if is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"fewer than {count} free ports between {PORT_RANGE.start} and {PORT_RANGE.stop}")


def owner(port: int) -> str:
    """Describe the process that listens on a port. Returns an empty string if the process is not known."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()}, PID {connection.pid}"
    except psutil.Error:
        pass
    return ""
