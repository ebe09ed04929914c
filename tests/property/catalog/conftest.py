"""Fixtures for the model tests of catalog."""

from tests.fixtures.catalog import catalog

__all__ = ["catalog"]
