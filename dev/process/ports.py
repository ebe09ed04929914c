"""TCP ports on this machine."""

import random
import socket

import psutil

LOOPBACK = "127.0.0.1"
# Below the range from which the kernel takes ports for outgoing connections: there, a client that waits for a
# server that is down can be given that server's own port and connect to itself.
FREE = range(20_000, 30_000)


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free(count: int) -> list[int]:
    """`count` different ports on which nobody listens."""
    found: list[int] = []
    for port in random.sample(FREE, len(FREE)):
        if is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"no {count} free ports between {FREE.start} and {FREE.stop}")


def owner(port: int) -> str:
    """Who listens on a port, in words; empty when the system does not tell."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()}, PID {connection.pid}"
    except psutil.Error:
        pass
    return ""
