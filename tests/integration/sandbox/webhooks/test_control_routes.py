import pytest

from tests.fakes.webhook_receiver import WebhookReceiver, signature_of
from tests.fixtures.merchant import KEY, Merchant


@pytest.mark.parametrize("kind", ["valid", "none", "wrong"])
async def test_webhook_sent_by_control_call_has_the_ordered_signature(
    merchant: Merchant, receiver: WebhookReceiver, kind: str
) -> None:
    data = {"reference": "no-such-reference", "amount": 1}
    response = await merchant.http.post(
        "/sandbox/webhooks", json={"event": "charge.success", "data": data, "signature": kind, "deliveries": 2}
    )
    assert response.status_code == 200
    assert len(response.json()["data"]["ids"]) == 2
    for received in await receiver.wait(2):
        assert received.body == b'{"event":"charge.success","data":{"reference":"no-such-reference","amount":1}}'
        if kind == "none":
            assert received.signature is None
        else:
            assert (received.signature == signature_of(received.body, KEY)) == (kind == "valid")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"event": "", "data": {}}',
        b'{"event": "x", "data": 1}',
        b'{"event": "x", "data": {"n": NaN}}',
        b'{"event": "x", "data": {}, "signature": "maybe"}',
        b'{"event": "x", "data": {}, "deliveries": 100000}',
        b'{"event": "x", "data": {}, "\\ud800": 1}',
        b'{"event": "x", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
async def test_webhook_with_an_invalid_body_is_refused(merchant: Merchant, body: bytes) -> None:
    response = await merchant.http.post("/sandbox/webhooks", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    assert response.json()["status"] is False


async def test_webhook_without_a_webhook_url_is_refused(shared_merchant: Merchant) -> None:
    started = await shared_merchant.start()
    assert (await shared_merchant.pay(started["reference"])).status_code == 200
    assert (await shared_merchant.webhooks())["pending"] == 0
    response = await shared_merchant.http.post("/sandbox/webhooks", json={"event": "x", "data": {}})
    assert (response.status_code, response.json()["code"]) == (409, "no_webhook_url")
