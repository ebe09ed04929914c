"""What a shop attaches to an order: texts of its own, which are returned, published and erased."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, select

from contracts.events import OrderUndeliverable
from services.catalog.db import sessions
from services.catalog.models import OutboxRow
from tests.factories.catalog import Headers, create_product, place_order
from tests.factories.events import payment_succeeded
from tests.fixtures.catalog import handle_events
from tests.fixtures.command_process import run_command

METADATA = {"campaign": "november", "basket.id": "17", "note": "Ọjà ńlá"}


async def test_metadata_is_stored_and_returned(client: httpx.AsyncClient, customer: Headers) -> None:
    cup = await create_product()
    placed = await place_order(client, customer, {cup: 1}, "k-1", metadata=METADATA)
    assert (placed.status_code, placed.json()["metadata"]) == (201, METADATA)
    again = await place_order(client, customer, {cup: 1}, "k-1", metadata=METADATA)
    assert again.json() == placed.json()
    shown = await client.get(f"/catalog/orders/{placed.json()['id']}", headers=customer)
    assert shown.json()["metadata"] == METADATA
    listed = await client.get("/catalog/orders", headers=customer)
    assert [each["metadata"] for each in listed.json()["items"]] == [METADATA]
    assert (await place_order(client, customer, {cup: 1})).json()["metadata"] == {}


@pytest.mark.parametrize(
    "metadata",
    [
        {f"key{number}": "" for number in range(17)},
        {"a key": ""},
        {"k" * 41: ""},
        {"key": "v" * 501},
        {"key": 1},
        {"key": "\x00"},
        {"order_id": "x"},
        [],
    ],
)
async def test_metadata_that_is_too_large_or_reserved_is_refused(
    client: httpx.AsyncClient, customer: Headers, metadata: Any
) -> None:
    refused = await place_order(client, customer, {await create_product(): 1}, metadata=metadata)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "metadata" in refused.json()["detail"]


async def published_metadata() -> list[dict[str, str]]:
    """Return the metadata of each `order.undeliverable` in the outbox, and empty it, as the relay does."""
    async with sessions.begin() as session:
        bodies = (await session.execute(select(OutboxRow.body).order_by(OutboxRow.id))).scalars().all()
        await session.execute(delete(OutboxRow))
    return [OrderUndeliverable.model_validate_json(body).data.metadata for body in bodies]


async def test_metadata_is_in_the_event_about_the_order_also_when_it_is_republished(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    placed = await place_order(client, customer, {await create_product(): 1}, metadata=METADATA)
    await handle_events(*(payment_succeeded(UUID(placed.json()["id"]), reference) for reference in ("r1", "r2")))
    assert await published_metadata() == [METADATA]
    await run_command("services.catalog", "republish", "--from", "1h")
    assert await published_metadata() == [METADATA]
