"""One /metrics for all processes of an API with WEB_CONCURRENCY > 1: prometheus-client's multiprocess mode.

https://prometheus.github.io/client_python/multiprocess/ Each process writes its values to files in a folder, and whichever process
answers a request for /metrics adds them up. The entry point creates the folder (kit/cli/processes.py), before the processes import
prometheus-client. Every gauge of an API needs a `multiprocess_mode`; `live…` leaves out the processes that have ended.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, multiprocess

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
GAUGE_FILE = re.compile(r"gauge_live\w*_(\d+)\.db")


@contextmanager
def shared_metrics(service: str) -> Iterator[None]:
    """Create the folder for the processes that are started inside the `with` block, and delete it afterwards."""
    folder = tempfile.mkdtemp(prefix=f"{service}-metrics-")
    os.environ[VARIABLE] = folder
    try:
        yield
    finally:
        del os.environ[VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)


def render() -> bytes:
    """Return the metrics of this process, or of all processes that share a folder, in Prometheus's text format. Reads files."""
    folder = os.environ.get(VARIABLE)
    if folder is None:
        return generate_latest()
    _forget_ended_processes(Path(folder))
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_ended_processes(folder: Path) -> None:
    """Delete the gauges of processes that have ended. Their counters stay: the sum of a counter must not decrease."""
    found = (GAUGE_FILE.fullmatch(path.name) for path in folder.iterdir())
    for process in {int(match[1]) for match in found if match}:
        if not _is_running(process):
            multiprocess.mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
