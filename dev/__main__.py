"""`python -m dev run | demo | env | chaos`: what the Makefile's verbs call. Each loads only what it needs."""

import importlib
import sys

VERBS = {"run": "dev.cli.run", "demo": "dev.cli.demo", "env": "dev.cli.env", "chaos": "dev.cli.chaos"}


def main() -> int | None:
    if len(sys.argv) != 2 or sys.argv[1] not in VERBS:
        print(f"usage: python -m dev {' | '.join(VERBS)}", file=sys.stderr)
        return 2
    code: int | None = importlib.import_module(VERBS[sys.argv[1]]).main()
    return code


if __name__ == "__main__":
    sys.exit(main())
