"""Who acts, and from where, as an audit entry records it."""

import getpass
import os
import socket
from dataclasses import dataclass

MAX_ID = 64
"""The length limit of `sub` in an access token."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The account, program or user of the operating system that acts.

    `id` is the account or program of the access token; for a command, `operator:` and the user of the operating system. `address` is the
    IP address of the client; for a command, the name of the host. A command has no request id.
    """

    id: str
    address: str | None = None
    request_id: str | None = None


def command_actor() -> Actor:
    """Return the user of the operating system and the host as the actor of a command."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # the user has no name, for example in a container
        name = str(os.getuid())
    return Actor(id=f"operator:{name}"[:MAX_ID], address=socket.gethostname())
