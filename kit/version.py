"""The version of this project, the same as in pyproject.toml."""

VERSION = "0.1.0"
