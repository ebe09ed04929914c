"""The entry point of payments: `python -m services.payments --help` lists the commands."""

from kit.cli.entry_point import run

if __name__ == "__main__":
    run("services.payments", commands="services.payments.cli.commands")
