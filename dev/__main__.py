"""`python -m dev run | demo | env`: what the Makefile's verbs call. Each loads only what it needs."""

import importlib
import sys

VERBS = ("run", "demo", "env")


def main() -> int | None:
    if len(sys.argv) != 2 or sys.argv[1] not in VERBS:
        print(f"usage: python -m dev {' | '.join(VERBS)}", file=sys.stderr)
        return 2
    code: int | None = importlib.import_module(f"dev.{sys.argv[1]}").main()
    return code


if __name__ == "__main__":
    sys.exit(main())
