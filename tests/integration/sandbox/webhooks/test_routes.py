"""Paystack's Webhook Events API."""

import json
from typing import Any

import httpx
import pytest

from sandbox.webhooks import events
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant
from tests.fixtures.sandbox import in_process_sandbox

EVENTS = "/integration/webhooks/events"


async def list_events(merchant: Merchant, **query: str | int) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = await merchant.get(EVENTS, **query)
    return data


async def resend(merchant: Merchant, path: str = "/resend", **body: Any) -> httpx.Response:
    return await merchant.call("POST", EVENTS + path, json=body)


async def test_list_after_delivered_and_lost_webhooks_shows_their_status(
    merchant: Merchant, receiver: WebhookReceiver
) -> None:
    receiver.answers.append(500)
    sent = await merchant.paid(deliveries=2)
    lost = await merchant.paid(deliveries=0)
    await merchant.webhooks(pending=0, delivered=2, lost=1)
    newest, oldest = await list_events(merchant)  # one event each, however often its webhook was sent
    assert (newest["category_row_id"], newest["status"], newest["trial_count"]) == (lost["id"], "Failed", 0)
    assert (newest["event_name"], newest["category"], newest["domain"]) == ("charge.success", "transactions", "test")
    assert (oldest["category_row_id"], oldest["status"], oldest["response_code"]) == (sent["id"], "Delivered", 200)
    fetched = await merchant.get(f"{EVENTS}/{oldest['_id']}")
    assert fetched["event_payload"]["data"]["reference"] == sent["reference"]
    assert (fetched["webhook_url"], fetched["merchant_response_body"]) == (receiver.url, "ok")
    assert len(fetched["trials"]) == fetched["trial_count"]
    assert oldest.items() <= fetched.items()


async def test_list_with_filters_returns_the_matching_events(merchant: Merchant, receiver: WebhookReceiver) -> None:
    paid = await merchant.paid()
    await merchant.webhooks(delivered=1)
    refund = await merchant.refund(paid["reference"], amount=5)
    await merchant.webhooks(delivered=2)
    await merchant.paid(deliveries=0)

    async def names(**query: str | int) -> list[str]:
        return [each["event_name"] for each in await list_events(merchant, **query)]

    assert await names() == ["charge.success", "refund.pending", "charge.success"]
    assert await names(category="refund") == ["refund.pending"]
    assert await names(event_type="charge.success", status="Delivered") == ["charge.success"]
    assert await names(status="Failed") == ["charge.success"]
    assert await names(category_row_id=refund["id"]) == ["refund.pending"]
    assert await names(to="2020-01-01") == []
    assert await names(**{"from": "2020-01-01"}, limit=1) == ["charge.success"]


async def test_list_with_cursors_goes_forward_and_back(merchant: Merchant) -> None:
    made = [(await merchant.paid(deliveries=0))["id"] for _ in range(5)][::-1]
    seen, pages, query = [], 0, {"limit": "2"}
    while True:
        body = (await merchant.call("GET", EVENTS, params=query)).json()
        seen += [each["category_row_id"] for each in body["data"]]
        pages += 1
        if body["meta"]["next"] is None:
            break
        query = {"limit": "2", "next": body["meta"]["next"]}
    assert (seen, pages) == (made, 3)
    back = (await merchant.call("GET", EVENTS, params={"limit": "2", "previous": body["meta"]["previous"]})).json()
    assert [each["category_row_id"] for each in back["data"]] == made[2:4]
    assert back["meta"]["previous"] is not None
    assert len(await list_events(merchant, limit=1_000)) == 5


@pytest.mark.parametrize(
    "query",
    ["next=aWQ6MQ==&previous=aWQ6MQ==", "next=x", "previous=%ff", "limit=x", "status=lost", "category_row_id=a"],
)
async def test_list_with_an_invalid_query_is_refused(shared_merchant: Merchant, query: str) -> None:
    response = await shared_merchant.call("GET", f"{EVENTS}?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_params")


async def test_lookup_by_reference_is_not_found_and_by_id_is_found(merchant: Merchant) -> None:
    paid = await merchant.paid(deliveries=0)
    by_number = await merchant.get(f"{EVENTS}/lookup", reference=paid["id"])
    assert await merchant.get(f"{EVENTS}/lookup", reference=by_number["_id"]) == by_number
    for unknown in (paid["reference"], "", "1", "f" * 24):
        response = await merchant.call("GET", f"{EVENTS}/lookup", params={"reference": unknown})
        assert (response.status_code, response.json()["message"]) == (404, "Webhook not found")
    assert (await merchant.call("GET", f"{EVENTS}/{'0' * 24}")).status_code == 404


async def test_resend_of_a_lost_webhook_delivers_it_each_time(merchant: Merchant, receiver: WebhookReceiver) -> None:
    await merchant.paid(deliveries=0)
    (event,) = await list_events(merchant)
    for count in (1, 2):  # every call sends it once more
        response = await resend(merchant, ids=[event["_id"]])
        assert (response.status_code, response.json()["data"]) == (200, {"count": 1})
        await receiver.wait(count)
        await merchant.webhooks(pending=0, delivered=1)
    assert len({each.body for each in receiver.received}) == 1
    (event,) = await list_events(merchant)
    assert (event["status"], event["trial_count"]) == ("Delivered", 2)


async def test_resend_of_a_pending_webhook_sends_a_copy(merchant: Merchant, receiver: WebhookReceiver) -> None:
    paid = await merchant.paid(delay_ms=3_600_000)
    (event,) = await list_events(merchant)
    await resend(merchant, ids=[event["_id"]])
    (received,) = await receiver.wait(1)
    assert json.loads(received.body)["data"]["id"] == paid["id"]
    assert len(await list_events(merchant)) == 1


async def test_resend_matching_sends_all_matching_events(merchant: Merchant, receiver: WebhookReceiver) -> None:
    for _ in range(3):
        await merchant.paid(deliveries=0)
    wanted = {"filters": {"status": "Failed", "category": "transactions"}}
    assert (await resend(merchant, "/resend-matching?preview=true", **wanted)).json()["data"] == {"count": 3}
    assert (await merchant.webhooks())["lost"] == 3
    assert (await resend(merchant, "/resend-matching", **wanted)).json()["data"] == {"count": 3}
    await receiver.wait(3)
    await merchant.webhooks(delivered=3)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/resend", {}, 400),
        ("/resend", {"ids": []}, 400),
        ("/resend", {"ids": ["0" * 24] * 101}, 400),
        ("/resend", {"ids": [1]}, 400),
        ("/resend", {"ids": ["x"]}, 404),
        ("/resend-matching", {}, 400),
        ("/resend-matching", {"filters": {"status": "lost"}}, 400),
        ("/resend-matching", {"filters": {"category": ["x"]}}, 400),
        ("/resend-matching", {"filters": {"category": "\ud800"}}, 400),
    ],
)
async def test_resend_with_an_invalid_body_is_refused(
    merchant: Merchant, path: str, body: dict[str, Any], status: int
) -> None:
    response = await merchant.call("POST", EVENTS + path, content=json.dumps(body).encode())
    assert response.status_code == status, response.text


async def test_resend_without_a_webhook_url_is_refused() -> None:
    async with in_process_sandbox() as merchant:
        await merchant.paid()
        assert await list_events(merchant) == []
        assert (await resend(merchant, ids=["0" * 24])).json()["code"] == "no_webhook_url"


async def test_attempts_of_an_event_resent_often_are_limited(
    merchant: Merchant, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ATTEMPTS_KEPT", 3)
    await merchant.paid()
    await merchant.webhooks(delivered=1, pending=0)
    (event,) = await list_events(merchant)
    for sent in range(2, 8):
        await resend(merchant, ids=[event["_id"]])
        await receiver.wait(sent)
        await merchant.webhooks(delivered=1, pending=0)
    fetched = await merchant.get(f"{EVENTS}/{event['_id']}")
    assert fetched["trial_count"] == len(fetched["trials"]) == 4
