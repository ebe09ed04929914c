"""Notes about orders that staff write. test_rejected_transfers.py tests those about rejected bank transfers."""

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.catalog.db import sessions
from services.catalog.orders import notes
from tests.factories.catalog import Headers, create_product, place_order
from tests.fixtures.audit import audit_entries
from tests.fixtures.owners import owner_sessions
from tests.fixtures.tokens import Signer


async def test_notes_when_added_then_staff_see_who_wrote_them_and_when_and_customers_do_not(
    client: httpx.AsyncClient, customer: Headers, editor: Headers, signer: Signer
) -> None:
    order = (await place_order(client, customer, {await create_product(): 1})).json()
    url = f"/catalog/orders/{order['number']}/notes"
    second_editor = signer.headers("editor-2", scopes=frozenset({"orders:manage"}))
    for number, author in enumerate((editor, second_editor, editor)):
        added = await client.post(url, json={"text": f"note {number}"}, headers=author)
        assert added.status_code == 201, added.text
    page = (await client.get(url, params={"limit": 2}, headers=editor)).json()
    rest = (await client.get(url, params={"limit": 2, "cursor": page["next_cursor"]}, headers=editor)).json()
    found = [(note["text"], note["author"]) for note in page["items"] + rest["items"]]
    assert found == [("note 2", "editor"), ("note 1", "editor-2"), ("note 0", "editor")]
    assert all(note["created_at"] for note in page["items"])
    assert rest["next_cursor"] is None
    acts = [(entry["act"], entry["subject"]) for entry in await audit_entries(client, "catalog", editor)]
    assert acts == [("order.note_added", order["id"])] * 3
    assert (await client.get(url, headers=customer)).status_code == 403
    assert (await client.post(url, json={"text": "mine"}, headers=customer)).status_code == 403
    assert "note" not in (await client.get(f"/catalog/orders/{order['id']}", headers=customer)).text


async def test_note_when_the_request_is_repeated_with_its_key_then_it_is_added_once(
    client: httpx.AsyncClient, customer: Headers, editor: Headers
) -> None:
    url = f"/catalog/orders/{(await place_order(client, customer, {await create_product(): 1})).json()['id']}/notes"
    headers = editor | {"Idempotency-Key": "n-1"}
    first, again = [await client.post(url, json={"text": "once"}, headers=headers) for _ in range(2)]
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert len((await client.get(url, headers=editor)).json()["items"]) == 1


async def test_note_when_there_is_no_order_or_no_text_or_too_many_notes_then_it_is_refused(
    client: httpx.AsyncClient, customer: Headers, editor: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "MAX_NOTES", 1)
    unknown = "/catalog/orders/7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55/notes"
    for response in (
        await client.post(unknown, json={"text": "x"}, headers=editor),
        await client.get(unknown, headers=editor),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "order_not_found")
    url = f"/catalog/orders/{(await place_order(client, customer, {await create_product(): 1})).json()['id']}/notes"
    for body in ({}, {"text": " "}, {"text": "x" * 2001}, {"text": "x", "author": "me"}):
        assert (await client.post(url, json=body, headers=editor)).status_code == 422
    assert (await client.post(url, json={"text": "x"}, headers=editor)).status_code == 201
    refused = await client.post(url, json={"text": "y"}, headers=editor)
    assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (409, "too_many_notes", 1)


async def test_notes_when_the_order_is_deleted_then_they_are_too_but_otherwise_never(
    client: httpx.AsyncClient, customer: Headers, editor: Headers
) -> None:
    order = (await place_order(client, customer, {await create_product(): 1})).json()
    url = f"/catalog/orders/{order['id']}/notes"
    assert (await client.post(url, json={"text": "x"}, headers=editor)).status_code == 201
    for change in ("UPDATE order_notes SET text = 'y'", "DELETE FROM order_notes", "TRUNCATE order_notes"):
        for role in (sessions, owner_sessions("catalog")):
            with pytest.raises(DBAPIError, match=r"append-only|permission denied"):
                async with role.begin() as session:
                    await session.execute(text(change))
    async with sessions.begin() as session:
        await session.execute(text("DELETE FROM orders"))
        assert await session.scalar(text("SELECT count(*) FROM order_notes")) == 0
