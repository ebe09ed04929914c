"""Which ports the parts of a stack get."""

from dev.process import ports
from dev.process.supervisor import NotStarted
from dev.servers.state import Keepsakes
from dev.stack.configuration import APIS, WORKERS
from dev.stack.environment import given, given_port

SERVER_PORTS = ("postgres", "rabbitmq", "distribution", "epmd")


def wanted() -> list[str]:
    """The parts that listen: every API and worker, and the sandbox where no other Paystack is given."""
    return [name for name in (*APIS, *WORKERS) if name != "sandbox" or not given("PAYSTACK_URL")]


def usual_ports(names: list[str]) -> dict[str, int]:
    """8001, 8002, 8003 and 8010, or what AUTH_PORT … say. Raises NotStarted when one is taken.

    Nobody knows a worker by its port: where the usual one is taken, it gets another.
    """
    spare = ports.free(len(WORKERS))
    chosen: dict[str, int] = {}
    for name in names:
        variable = f"{name.upper().replace('-', '_')}_PORT"
        port = given_port(variable, {**APIS, **WORKERS}[name])
        taken = port in chosen.values() or not ports.is_free(port)
        if taken and name in WORKERS:
            port = spare.pop()
        elif taken:
            owner = "another part of the shop" if port in chosen.values() else ports.owner(port)
            raise NotStarted(
                f"port {port}, which {name} needs, is taken{f' by {owner}' if owner else ''}.\n"
                f"Stop that program, or choose another port: {variable}={port + 100} make run"
            )
        chosen[name] = port
    return chosen


def free_ports(names: list[str]) -> dict[str, int]:
    """Any ports on which nobody listens."""
    return dict(zip(names, ports.free(len(names)), strict=True))


def server_ports(keepsakes: Keepsakes) -> dict[str, int]:
    """The ports of our own Postgres and RabbitMQ: those of the last run in this folder where they are still free."""
    spare = ports.free(len(SERVER_PORTS))
    chosen: dict[str, int] = {}
    for name in SERVER_PORTS:
        port = keepsakes.port(f"{name}_port")
        if port is None or not ports.is_free(port):
            port = spare.pop()
            keepsakes.keep(f"{name}_port", port)
        chosen[name] = port
    return chosen
