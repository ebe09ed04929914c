"""GET routes read on the reading engine of their service."""

import importlib
from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

NEEDS_A_TRANSACTION = {"/payments/ledger/balances"}
"""The sums over all entries may take longer than the statement timeout of reads."""


def calls(dependant: Dependant) -> Iterator[object]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from calls(dependency)


@pytest.mark.parametrize("service", ["auth", "catalog", "payments"])
def test_get_route_when_it_uses_the_database_reads_without_a_transaction(service: str) -> None:
    app = importlib.import_module(f"services.{service}.app").app
    database = importlib.import_module(f"services.{service}.db")
    used = {
        route.path: set(calls(route.dependant)) & {database.reading, database.transaction}
        for route in app.routes
        if isinstance(route, APIRoute) and route.methods == {"GET"}
    }
    assert sum(database.reading in found for found in used.values()) >= 2
    assert {path for path, found in used.items() if database.transaction in found} == NEEDS_A_TRANSACTION & used.keys()
