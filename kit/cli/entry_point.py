"""The entry point of every service: `python -m services.<name> COMMAND`.

Imports are most of the time that a process takes to start. So `serve` and `worker` do not import the operators' commands, and neither
imports the other's libraries. The imports in these functions are lazy for this reason.
"""

import sys
from collections.abc import Callable
from importlib import import_module


def run(package: str, *, commands: str, before_serve: Callable[[], None] = lambda: None) -> None:
    """Run the command in `sys.argv`. `commands` is the module whose `cli` contains all commands; `before_serve` may refuse to serve."""
    match sys.argv[1:]:
        case ["serve" | "worker" as command]:
            # structlog and httpx import rich wherever it is installed: a tenth of a second, for colours that no service uses.
            sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # None: an import raises ModuleNotFoundError
            processes = import_module("kit.cli.processes")
            if command == "serve":
                before_serve()
                processes.serve(package)
            else:
                processes.work(package)
        case _:
            import_module(commands).cli()
