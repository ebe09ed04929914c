"""Settings of long-running processes: garbage collection and open files."""

import gc
import resource

OPEN_FILES = 4096
"""Enough for the connections of clients (MAX_CONNECTIONS in kit/http/server_protocol.py), the database and the other services."""


YOUNG_OBJECTS = 20_000
"""The new objects after which Python looks for cycles among them. With its default, 2,000, this takes a twentieth of a worker's time,
because a batch of events alone has more objects."""


def limit_garbage_collection() -> None:
    """Exclude the objects that exist at startup from garbage collection, and collect the others less often.

    Modules and classes live as long as the process. A full collection that visits them takes a tenth of a second, blocks all requests, and
    frees nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


def raise_open_file_limit() -> None:
    """Let this process and its children open OPEN_FILES files, or as many as the system allows. Many systems begin with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
