"""`python -m dev COMMAND` runs a command of the Makefile. Only the modules of that command are imported."""

import importlib
import sys

COMMANDS = {
    "run": "dev.cli.run",
    "demo": "dev.cli.demo",
    "chaos": "dev.cli.chaos",
    "env": "dev.cli.env",
    "migration": "dev.cli.migration",
    "psql": "dev.cli.psql",
    "logs": "dev.cli.logs",
    "openapi": "dev.openapi",
    "asyncapi": "dev.asyncapi",
}


def main() -> int | None:
    """Run the command that the first argument names and return its exit code."""
    if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
        print(f"usage: python -m dev {' | '.join(COMMANDS)}", file=sys.stderr)
        return 2
    code: int | None = importlib.import_module(COMMANDS[sys.argv[1]]).main()
    return code


if __name__ == "__main__":
    sys.exit(main())
