"""`python -m dev COMMAND` runs a command of the Makefile. Only the modules of that command are imported."""

import importlib
import sys

COMMANDS = {
    "run": ("dev.cli.run", "start the whole shop on this machine, until Ctrl-C"),
    "demo": (
        "dev.cli.demo",
        "make one purchase (GATEWAY=url: in the shop behind that gateway; GUEST=1: a guest buys; TRANSFER=1: by bank transfer; "
        "SERVER=1: a merchant's server buys for its customer)",
    ),
    "chaos": ("dev.cli.chaos", "make purchases while processes are killed at random (SECONDS=120, SEED=number)"),
    "fuzz": ("dev.cli.fuzz", "send requests generated from the OpenAPI documents (EXAMPLES=100, SEED=number)"),
    "env": ("dev.cli.env", "write .env with fresh secrets for docker compose, unless it exists"),
    "migration": ("dev.cli.migration", 'write the next migration of a service (SERVICE=catalog NAME="add weight")'),
    "psql": ("dev.cli.psql", "open psql on a database of `run` (SERVICE=auth|catalog|payments)"),
    "seed": ("dev.cli.seed", "fill the catalog of the running stack (SIZE=100000: the number of products)"),
    "logs": ("dev.cli.logs", "follow the log files of `run` (SERVICE=payments: only those of payments)"),
    "openapi": ("dev.openapi", "write docs/openapi/*.json"),
    "asyncapi": ("dev.asyncapi", "write docs/asyncapi.yaml"),
}
"""The module of each command, and its help."""

HELP = ("-h", "--help")


def main() -> int | None:
    """Run the command that the first argument names and return its exit code."""
    arguments = sys.argv[1:]
    if any(argument in HELP for argument in arguments):
        print_help([argument for argument in arguments if argument in COMMANDS] or list(COMMANDS))
        return 0
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m dev {' | '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module, _ = COMMANDS[arguments[0]]
    code: int | None = importlib.import_module(module).main()
    return code


def print_help(commands: list[str]) -> None:
    """Print the commands with what they do. Their arguments are environment variables, as in `make`."""
    print("usage: python -m dev COMMAND     (or: make COMMAND)\n")
    for name in commands:
        print(f"  {name:<10} {COMMANDS[name][1]}")


if __name__ == "__main__":
    sys.exit(main())
