"""Development tools: the commands of the Makefile, and the private servers that tests and benchmarks start."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
RUN_FOLDER = PROJECT / ".run"
"""The folder of the stack that `make run` starts: data, logs, passwords and stack.env."""
