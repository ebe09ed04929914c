"""Reserve TCP ports of this machine, and find the process that listens on a port."""

import os
import random
import socket
import sys
from collections.abc import Iterable

import psutil

LOOPBACK = "127.0.0.1"
# Below the range of ports that the kernel uses for outgoing connections. In that range, a client that tries to reach a stopped
# server could get the server's port as its own source port, and would then connect to itself.
PORT_RANGE = range(20_000, 30_000)
_reserved: dict[int, list[int]] = {}
"""The ports that this process has reserved, with the file descriptors of the sockets that hold them. They are a property of the process, as
its environment is: all its stacks share them."""


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Return True if a server can listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def reserve(port: int) -> bool:
    """Reserve a port for the servers that this process starts, until `release` or the end of this process. Return False if it is taken.

    A second stack, in this or another folder, cannot reserve the port, not even while the server is being restarted.
    """
    if port in _reserved:
        return False
    sockets = [socket.socket()]
    try:
        # Servers bind with this option too. So they can listen on a port that is only bound here.
        sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sockets[0].bind((LOOPBACK, port))
        if sys.platform == "linux":
            # Two processes can bind a port with that option. The abstract Unix socket belongs to one process; the kernel removes it.
            sockets.append(socket.socket(socket.AF_UNIX))
            sockets[1].bind(f"\0shop-port-{port}")
    except OSError:
        return False
    else:
        # Elsewhere, no server can listen on a bound port: it is only known to be free.
        _reserved[port] = [each.detach() for each in sockets] if sys.platform == "linux" else []
        return True
    finally:
        for each in sockets:
            each.close()


def release(ports: Iterable[int]) -> None:
    """Let others reserve these ports."""
    for port in ports:
        for descriptor in _reserved.pop(port, []):
            os.close(descriptor)


def reserve_free(count: int) -> list[int]:
    """Reserve `count` free ports and return them. Raises OSError if there are not enough."""
    found: list[int] = []
    for port in random.sample(PORT_RANGE, len(PORT_RANGE)):
        if len(found) == count:
            return found
        if reserve(port):
            found.append(port)
    release(found)
    raise OSError(f"fewer than {count} free ports between {PORT_RANGE.start} and {PORT_RANGE.stop}")


def listens(pid: int, port: int) -> bool:
    """Return True if this process listens on the port, or if this user may not know."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr[1:2] == (port,) for each in connections)


def owner(port: int) -> str:
    """Describe the process that listens on a port. Returns an empty string if the process is not known."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()}, PID {connection.pid}"
    except psutil.Error:
        pass
    return ""
