"""What a shop chooses when it starts a payment: the channels that Paystack's page offers, and texts of its own."""

from typing import Any

import httpx
import pytest

from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack
from tests.fixtures.payments_rows import all_payments, outbox_events
from tests.fixtures.payments_start import ORDER, start

pytestmark = pytest.mark.usefixtures("order")

METADATA = {"campaign": "november", "basket.id": "17", "note": "Ọjà ńlá"}


async def test_metadata_is_stored_returned_published_and_sent_to_paystack(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    started = await start(client, customer, "k-1", metadata=METADATA)
    assert (started.status_code, started.json()["metadata"]) == (201, METADATA)
    assert (await start(client, customer, "k-1", metadata=METADATA)).json() == started.json()
    sent = paystack.bodies_of("initialize")[-1]["metadata"]
    assert {**sent, **METADATA} == sent
    assert sent["order_id"] == ORDER
    reference = started.json()["reference"]
    paystack.add_transaction(reference, metadata=sent)
    await client.post(f"/payments/{reference}/verify", headers=customer)
    shown = (await client.get(f"/payments/{reference}", headers=customer)).json()
    assert (shown["status"], shown["metadata"]) == ("succeeded", METADATA)
    events = await outbox_events()
    assert [(event.type, event.data.metadata) for event in events] == [
        ("payment.started", METADATA),
        ("payment.succeeded", METADATA),
    ]


async def test_payment_has_no_metadata_when_neither_its_request_nor_its_order_has_any(
    client: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    assert (await start(client, customer)).json()["metadata"] == {}


async def test_payment_whose_request_has_no_metadata_has_that_of_its_order(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, catalog: FakeCatalog
) -> None:
    catalog.add_order(ORDER, metadata=METADATA)
    assert (await start(client, customer)).json()["metadata"] == METADATA
    sent = paystack.bodies_of("initialize")[-1]["metadata"]
    assert {**sent, **METADATA} == sent
    assert (await start(client, customer, metadata={"own": "x"})).json()["metadata"] == {"own": "x"}
    assert (await start(client, customer, metadata={})).json()["metadata"] == {}


FILTERS: dict[str, Any] = {
    "recurring": True,
    "banks": ["057", "100"],
    "card_brands": ["visa", "verve"],
    "supported_bank_providers": ["057"],
    "supported_mobile_money_providers": ["mtn", "atl", "vod"],
}


@pytest.mark.parametrize("filters", [FILTERS, *({name: value} for name, value in FILTERS.items())])
async def test_custom_filters_are_sent_to_paystack(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, filters: dict[str, Any]
) -> None:
    assert (await start(client, customer, custom_filters=filters)).status_code == 201
    assert paystack.bodies_of("initialize")[-1]["metadata"]["custom_filters"] == filters
    assert (await start(client, customer)).status_code == 201
    assert "custom_filters" not in paystack.bodies_of("initialize")[-1]["metadata"]


@pytest.mark.parametrize(
    "filters",
    [
        {"recurring": "yes"},
        {"banks": []},
        {"banks": ["057"] * 2},
        {"banks": [str(code) for code in range(51)]},
        {"banks": ["a bank"]},
        {"card_brands": ["discover"]},
        {"supported_mobile_money_providers": ["MTN"]},
        {"colour": "red"},
        [],
    ],
)
async def test_custom_filters_that_paystack_does_not_have_are_refused(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, filters: Any
) -> None:
    refused = await start(client, customer, custom_filters=filters)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "custom_filters" in refused.json()["detail"]
    assert (await all_payments(), paystack.calls) == ([], [])


@pytest.mark.parametrize(
    "metadata",
    [
        {f"key{number}": "" for number in range(17)},
        {"a key": ""},
        {"k" * 41: ""},
        {"": ""},
        {"key": "v" * 501},
        {"key": 1},
        {"key": None},
        {"key": {"a": "b"}},
        {"key": "\x00"},
        {"cancel_action": "https://evil.test/"},
        {"custom_fields": ""},
        [],
        "text",
    ],
)
async def test_metadata_that_is_too_large_or_reserved_is_refused(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, metadata: Any
) -> None:
    refused = await start(client, customer, metadata=metadata)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "metadata" in refused.json()["detail"]
    assert await all_payments() == []


async def test_channels_are_sent_to_paystack(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    assert (await start(client, customer, channels=["bank_transfer", "ussd"])).status_code == 201
    assert paystack.bodies_of("initialize")[-1]["channels"] == ["bank_transfer", "ussd"]
    assert (await start(client, customer)).status_code == 201
    assert "channels" not in paystack.bodies_of("initialize")[-1]


async def test_channel_that_the_currency_does_not_have_is_refused_and_nothing_is_stored(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    refused = await start(client, customer, channels=["card", "mobile_money"])
    assert (refused.status_code, refused.json()["code"]) == (422, "channel_not_available")
    assert "NGN can be paid with card, bank, ussd, bank_transfer, apple_pay" in refused.json()["detail"]
    assert (await all_payments(), paystack.calls) == ([], [])


@pytest.mark.parametrize("channels", [[], ["card", "card"], ["cash"], ["CARD"], "card", [None], ["card"] * 9])
async def test_channels_that_are_not_a_list_of_different_channels_are_refused(
    client: httpx.AsyncClient, customer: dict[str, str], channels: Any
) -> None:
    refused = await start(client, customer, channels=channels)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
