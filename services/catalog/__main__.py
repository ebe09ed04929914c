"""The entry point of catalog: `python -m services.catalog --help` lists the commands."""

from kit.cli.entry_point import run

if __name__ == "__main__":
    run("services.catalog", commands="services.catalog.cli")
