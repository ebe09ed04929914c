"""Choose the ports of a stack."""

from dev.process import ports
from dev.process.program import NotStarted
from dev.servers.state import State
from dev.stack.environment import from_environment, port_from_environment
from dev.stack.names import APIS, WORKERS, variable_prefix

SERVER_PORTS = ("postgres", "rabbitmq", "distribution", "epmd")


def listening_processes() -> list[str]:
    """Return the APIs and workers of a stack. The sandbox is one of them unless PAYSTACK_URL is set."""
    return [name for name in (*APIS, *WORKERS) if name != "sandbox" or not from_environment("PAYSTACK_URL")]


def usual_ports(names: list[str]) -> dict[str, int]:
    """Return the default ports (8001, 8002, 8003, 8010, …) or those in AUTH_PORT etc. Raises NotStarted if an API's port is taken.

    A worker whose port is taken gets another one: clients never use a worker's port.
    """
    spare = ports.find_free(len(WORKERS))
    chosen: dict[str, int] = {}
    for name in names:
        variable = f"{variable_prefix(name)}_PORT"
        port = port_from_environment(variable, {**APIS, **WORKERS}[name])
        taken = port in chosen.values() or not ports.is_free(port)
        if taken and name in WORKERS:
            port = spare.pop()
        elif taken:
            owner = "another process of this stack" if port in chosen.values() else ports.owner(port)
            raise NotStarted(
                f"port {port} of {name} is already in use{f' by {owner}' if owner else ''}.\n"
                f"Stop that program or choose another port: {variable}={port + 100} make run"
            )
        chosen[name] = port
    return chosen


def free_ports(names: list[str]) -> dict[str, int]:
    """Return a free port for each process."""
    return dict(zip(names, ports.find_free(len(names)), strict=True))


def server_ports(state: State) -> dict[str, int]:
    """Return the ports of the stack's own Postgres and RabbitMQ: those of the last run in this folder if they are free, else others."""
    spare = ports.find_free(len(SERVER_PORTS))
    chosen: dict[str, int] = {}
    for name in SERVER_PORTS:
        port = state.port(f"{name}_port")
        if port is None or not ports.is_free(port):
            port = spare.pop()
            state.store(f"{name}_port", port)
        chosen[name] = port
    return chosen
