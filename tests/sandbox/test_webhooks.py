import asyncio
import hashlib
import hmac
import json

import httpx
import pytest

from sandbox.webhooks.queue import QUICK_TRIES, SLOW_TRIES, signature, wait_after
from tests.sandbox.conftest import sandbox
from tests.sandbox.merchant import KEY, Merchant
from tests.sandbox.receiver import Receiver


def signed(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


async def test_a_payment_raises_a_signed_notice(merchant: Merchant, receiver: Receiver) -> None:
    started = await merchant.start(metadata={"url": "https://a/é"}, label="x")
    await merchant.pay(started["reference"])
    (received,) = await receiver.wait(1)
    assert received.signature == signed(received.body)
    assert received.headers["content-type"] == "application/json"
    notice = json.loads(received.body)
    assert notice.keys() == {"event", "data"}
    assert notice["event"] == "charge.success"
    assert received.body == json.dumps(notice, separators=(",", ":"), ensure_ascii=False).encode()
    transaction = await merchant.verify(started["reference"])
    for key in ("id", "domain", "status", "reference", "amount", "currency", "fees", "paid_at", "metadata", "customer"):
        assert notice["data"][key] == transaction[key]


@pytest.mark.parametrize("outcome", ["failed", "abandoned"])
async def test_only_a_success_raises_one(merchant: Merchant, receiver: Receiver, outcome: str) -> None:
    started = await merchant.start()
    assert (await merchant.pay(started["reference"], outcome=outcome)).status_code == 200
    assert (await merchant.webhooks())["pending"] == 0
    await merchant.pay(started["reference"])  # a payer may try again
    assert json.loads((await receiver.wait(1))[0].body)["data"]["status"] == "success"


async def test_anything_but_200_is_tried_again_with_the_same_bytes(merchant: Merchant, receiver: Receiver) -> None:
    receiver.answers.extend([500, 302, 201, 404])
    started = await merchant.start()
    await merchant.pay(started["reference"])
    received = await receiver.wait(5)
    assert {each.body for each in received} == {received[0].body}
    assert {each.signature for each in received} == {signed(received[0].body)}
    await merchant.webhooks(pending=0, delivered=1)
    shown = (await merchant.http.get(f"/sandbox/transactions/{started['reference']}")).json()["data"]
    assert shown["status"] == "success"
    assert [attempt["status"] for attempt in shown["webhooks"][0]["attempts"]] == [500, 302, 201, 404, 200]


async def test_deliveries_are_sent_at_the_same_time(merchant: Merchant, receiver: Receiver) -> None:
    started = await merchant.start()
    receiver.held.add(started["reference"].encode())  # none is answered, so all of them must be under way at once
    await merchant.pay(started["reference"], deliveries=50)
    assert len({each.body for each in await receiver.wait(50, seconds=4)}) == 1


async def test_a_lost_webhook(merchant: Merchant, receiver: Receiver) -> None:
    started = await merchant.start()
    answer = await merchant.pay(started["reference"], deliveries=0)
    assert answer.json()["data"]["status"] == "success"
    data = await merchant.webhooks(pending=0, delivered=0, given_up=0, lost=1)
    assert data["webhooks"][0]["attempts"] == []
    assert receiver.received == []


async def test_a_late_webhook(merchant: Merchant, receiver: Receiver) -> None:
    late, soon = await merchant.start(), await merchant.start()
    await merchant.pay(late["reference"], delay_ms=250)
    await merchant.pay(soon["reference"])
    received = await receiver.wait(2)
    assert [json.loads(each.body)["data"]["reference"] for each in received] == [soon["reference"], late["reference"]]


async def test_a_slow_receiver_holds_back_nobody_else(merchant: Merchant, receiver: Receiver) -> None:
    slow, quick = await merchant.start(), await merchant.start()
    receiver.held.add(slow["reference"].encode())
    await merchant.pay(slow["reference"])
    await receiver.wait(1)
    await merchant.pay(quick["reference"])
    await merchant.webhooks(pending=1, delivered=1)


async def test_it_gives_up_after_the_whole_schedule() -> None:
    async with Receiver() as gone:
        url = gone.url
    async with sandbox(webhook_url=url, time_scale=0.0001) as merchant:
        started = await merchant.start()
        await merchant.pay(started["reference"])
        data = await merchant.webhooks(pending=0, given_up=1)
        assert data["webhooks"][0]["tries"] == QUICK_TRIES + SLOW_TRIES
        assert "ConnectError" in data["webhooks"][0]["attempts"][0]["error"]
        assert (await merchant.http.get("/sandbox/webhooks?state=delivered")).json()["data"]["webhooks"] == []


def test_the_schedule() -> None:
    waits = [wait_after(tries) for tries in range(1, 77)]
    assert waits == [1.0] * 3 + [5.0] * 72 + [None]


@pytest.mark.parametrize("kind", ["valid", "none", "wrong"])
async def test_any_webhook_can_be_sent(merchant: Merchant, receiver: Receiver, kind: str) -> None:
    data = {"reference": "never-heard-of", "amount": 1}
    answer = await merchant.http.post(
        "/sandbox/webhooks", json={"event": "charge.success", "data": data, "signature": kind, "deliveries": 2}
    )
    assert answer.status_code == 200
    assert len(answer.json()["data"]["ids"]) == 2
    for received in await receiver.wait(2):
        assert received.body == b'{"event":"charge.success","data":{"reference":"never-heard-of","amount":1}}'
        if kind == "none":
            assert received.signature is None
        else:
            assert (received.signature == signed(received.body)) == (kind == "valid")


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
async def test_a_webhook_that_cannot_be_sent(merchant: Merchant, body: bytes) -> None:
    answer = await merchant.http.post("/sandbox/webhooks", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["status"] is False


async def test_without_an_address_nothing_is_sent(shared: Merchant) -> None:
    started = await shared.start()
    assert (await shared.pay(started["reference"])).status_code == 200
    assert (await shared.webhooks())["pending"] == 0
    answer = await shared.http.post("/sandbox/webhooks", json={"event": "x", "data": {}})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_webhook_url")


async def test_many_payments_at_once(merchant: Merchant, receiver: Receiver) -> None:
    async def purchase() -> httpx.Response:
        return await merchant.pay((await merchant.start())["reference"])

    answers = await asyncio.gather(*(purchase() for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    await merchant.webhooks(pending=0, delivered=100)
    assert len({each.body for each in receiver.received}) == 100


def test_the_signature_of_a_known_body() -> None:
    assert signature(KEY.encode(), b"{}") == signed(b"{}")
    assert len(signature(KEY.encode(), b"")) == 128
