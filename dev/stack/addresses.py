"""Choose and reserve the ports of a stack. The process that started the stack releases them."""

from dev.process import ports
from dev.process.console import Console
from dev.process.program import NotStarted
from dev.servers.state import State
from dev.stack.environment import from_environment, port_from_environment
from dev.stack.names import APIS, TOOLS, WORKERS, variable_prefix

SERVER_PORTS = ("postgres", "rabbitmq", "distribution", "epmd", "smtp")
REPLACED_BY = {"sandbox": "PAYSTACK_URL", "mail-catcher": "AUTH_SMTP_URL"}
"""The processes that a stack does not run if a variable names another server in their place."""


def listening_processes() -> list[str]:
    """Return the APIs and workers of a stack, with the sandbox unless PAYSTACK_URL is set, and the mail catcher unless AUTH_SMTP_URL is."""
    names = (*APIS, *WORKERS, *TOOLS)
    return [name for name in names if name not in REPLACED_BY or not from_environment(REPLACED_BY[name])]


def usual_ports(names: list[str], console: Console) -> dict[str, int]:
    """Reserve the default ports (8001, 8002, 8003, 8010, …) or those in AUTH_PORT etc.

    If a default port is taken, for example by another stack, reserve a free port instead. Raises NotStarted if one from the environment is
    taken.
    """
    chosen: dict[str, int] = {}
    for name in names:
        variable = f"{variable_prefix(name)}_PORT"
        default = {**APIS, **WORKERS, **TOOLS}[name]
        port = port_from_environment(variable, default)
        if not ports.reserve(port):
            owner = (
                "another process of this stack" if port in chosen.values() else ports.owner(port) or "another program"
            )
            if from_environment(variable):
                ports.release(chosen.values())
                raise NotStarted(
                    f"{variable}={port}: the port is in use by {owner}. Stop that program, choose another port, "
                    f"or leave {variable} out: {name} then gets a free port"
                )
            (port,) = ports.reserve_free(1)
            console.print_status(f"port {default} is in use by {owner}: {name} gets port {port}")
        chosen[name] = port
    return chosen


def free_ports(names: list[str]) -> dict[str, int]:
    """Reserve a free port for each process."""
    return dict(zip(names, ports.reserve_free(len(names)), strict=True))


def server_ports(state: State) -> dict[str, int]:
    """Reserve the ports of the stack's own Postgres, RabbitMQ and mail catcher.

    They are those of the last run in this folder if they are free, else others.
    """
    chosen: dict[str, int] = {}
    for name in SERVER_PORTS:
        port = state.port(f"{name}_port")
        if port is None or not ports.reserve(port):
            (port,) = ports.reserve_free(1)
            state.store(f"{name}_port", port)
        chosen[name] = port
    return chosen
