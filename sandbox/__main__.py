"""`python -m sandbox` serves the sandbox until SIGTERM or Ctrl-C."""

import importlib
import sys

HELP = """usage: python -m sandbox

Serve an offline emulator of Paystack until SIGTERM or Ctrl-C. Its settings are environment variables; docs/sandbox.md explains them:

  PAYSTACK_SECRET_KEY     sk_test_... or sk_live_..., required; or PAYSTACK_SECRET_KEY_FILE
  SANDBOX_HOST            address of the server                             127.0.0.1
  SANDBOX_PORT            port of the server                                8010
  SANDBOX_PUBLIC_URL      origin of the checkout page for browsers          the address of the server
  SANDBOX_WEBHOOK_URL     receiver of webhooks                              none are sent
  SANDBOX_DATABASE        SQLite file                                       in memory
  SANDBOX_TIME_SCALE      multiplies the waits of webhooks and disputes     1
  SANDBOX_REFUND_SECONDS  duration of each of the two steps of a refund     1
  LOG_LEVEL               DEBUG, INFO, WARNING or ERROR                     INFO
"""


def main() -> int:
    """Serve, or print the help without importing the server, which would take longer."""
    arguments = sys.argv[1:]
    if any(argument in {"-h", "--help"} for argument in arguments):
        print(HELP, end="")  # noqa: T201
        return 0
    if arguments:
        print("usage: python -m sandbox [--help]", file=sys.stderr)  # noqa: T201
        return 2
    importlib.import_module("sandbox.server").serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
