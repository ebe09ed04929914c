"""Only webhooks with Paystack's signature are stored: HMAC-SHA512 of the raw body, in lowercase hex."""

import hashlib
import hmac
import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.messaging.notifier import Notifier
from services.payments.db import engine
from services.payments.webhooks.intake import Intake, is_signed
from tests.fakes.paystack import charge_success
from tests.fixtures.apps import RunningApp
from tests.fixtures.environment import PAYSTACK_SECRET_KEY
from tests.fixtures.payments_requests import WEBHOOK_PATH, post_webhook, sign
from tests.fixtures.payments_rows import webhook_events

BODY = b'{"event":"charge.success","data":{"amount":1.0e2,"reference":"a\\/b"}}'
GOOD = sign(BODY)
KEY = PAYSTACK_SECRET_KEY.encode()
OLD_KEY = "sk_test_" + "b" * 24


def accept_keys(payments: RunningApp, notifier: Notifier, *keys: bytes) -> None:
    """Configure the secret keys whose signatures are accepted."""
    payments.state["intake"] = Intake(engine, notifier, keys)


async def assert_refused(client: httpx.AsyncClient, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    answer = await client.post(WEBHOOK_PATH, content=body, headers=headers)
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "bad_signature"
    assert await webhook_events() == []


async def test_webhook_when_its_signature_is_right_is_stored(client: httpx.AsyncClient) -> None:
    assert (await post_webhook(client, BODY)).status_code == 200
    (stored,) = await webhook_events()
    assert stored.body == BODY
    assert stored.headers["x-paystack-signature"] == GOOD


async def test_webhook_when_it_has_no_signature_is_refused(client: httpx.AsyncClient) -> None:
    await assert_refused(client, BODY, [])


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b" ",
        b"0" * 128,
        GOOD.upper().encode(),
        GOOD[:-1].encode(),
        GOOD[:64].encode(),
        (GOOD + "0").encode(),
        (GOOD + "," + GOOD).encode(),
        ("sha512=" + GOOD).encode(),
        hmac.new(KEY, BODY, hashlib.sha256).hexdigest().encode(),
        hashlib.sha512(BODY).hexdigest().encode(),
        hmac.new(b"", BODY, hashlib.sha512).hexdigest().encode(),
        hmac.new(KEY, json.dumps(json.loads(BODY), separators=(",", ":")).encode(), hashlib.sha512)
        .hexdigest()
        .encode(),
        "é".encode(),
        b"\xff\xfe" * 64,
        GOOD.replace("a", "а").encode(),  # a Cyrillic letter that looks the same
    ],
    ids=[
        "empty",
        "blank",
        "zeros",
        "upper case",
        "cut",
        "half",
        "longer",
        "twice",
        "prefixed",
        "SHA-256",
        "no HMAC",
        "no key",
        "another spelling",
        "not ASCII",
        "not text",
        "look-alike",
    ],
)
async def test_webhook_when_its_signature_is_wrong_is_refused(client: httpx.AsyncClient, signature: bytes) -> None:
    await assert_refused(client, BODY, [(b"x-paystack-signature", signature)])


@pytest.mark.parametrize(
    "body", [b"\xef\xbb\xbf" + BODY, BODY + b"\n", BODY + b" ", BODY[:-1], BODY.replace(b"\\/", b"/"), b""]
)
async def test_webhook_when_its_body_is_not_the_signed_one_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    await assert_refused(client, body, [(b"x-paystack-signature", GOOD.encode())])


@pytest.mark.parametrize("second", [GOOD, "0" * 128, ""])
async def test_webhook_when_it_has_two_signatures_is_refused(client: httpx.AsyncClient, second: str) -> None:
    for pair in ((GOOD, second), (second, GOOD)):
        await assert_refused(client, BODY, [(b"x-paystack-signature", value.encode()) for value in pair])


@given(st.data())
@settings(max_examples=200)
def test_is_signed_when_one_bit_changes_is_false(data: st.DataObject) -> None:
    body = data.draw(st.binary(min_size=1, max_size=300))
    signature = sign(body).encode()
    assert is_signed(body, signature, [KEY])
    place = data.draw(st.integers(0, len(body) * 8 - 1))
    flipped = bytearray(body)
    flipped[place // 8] ^= 1 << place % 8
    assert not is_signed(bytes(flipped), signature, [KEY])
    place = data.draw(st.integers(0, len(signature) * 8 - 1))
    forged = bytearray(signature)
    forged[place // 8] ^= 1 << place % 8
    assert not is_signed(body, bytes(forged), [KEY])


@given(st.binary(max_size=300))
def test_is_signed_when_the_signature_is_arbitrary_is_false(signature: bytes) -> None:
    assert not is_signed(BODY, signature, [KEY])
    assert not is_signed(BODY, signature, [])


async def test_webhook_when_a_previous_key_is_configured_is_accepted_under_both(
    client: httpx.AsyncClient, payments: RunningApp, notifier: Notifier
) -> None:
    body = json.dumps(charge_success("pay-1")).encode()
    assert (await post_webhook(client, body, sign(body, OLD_KEY))).status_code == 401
    accept_keys(payments, notifier, KEY, OLD_KEY.encode())
    assert (await post_webhook(client, body, sign(body, OLD_KEY))).status_code == 200
    assert (await post_webhook(client, body)).status_code == 200
    assert len(await webhook_events()) == 1


async def test_webhook_when_no_key_is_configured_answers_404(
    client: httpx.AsyncClient, payments: RunningApp, notifier: Notifier
) -> None:
    accept_keys(payments, notifier)
    for signature in (GOOD, sign(BODY, ""), ""):
        answer = await post_webhook(client, BODY, signature)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_configured")
    assert await webhook_events() == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_webhook_path_when_the_method_is_not_post_answers_405(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, WEBHOOK_PATH)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


async def test_webhook_when_it_is_stored_keeps_its_headers_without_credentials(client: httpx.AsyncClient) -> None:
    headers = {
        "x-paystack-signature": GOOD,
        "authorization": "Bearer not-ours-to-keep",
        "cookie": "session=1",
        "x-forwarded-for": "203.0.113.7",
        "x-long": "a" * 5000,
    }
    assert (await client.post(WEBHOOK_PATH, content=BODY, headers=headers)).status_code == 200
    (stored,) = await webhook_events()
    assert stored.headers["x-forwarded-for"] == "203.0.113.7"
    assert len(stored.headers["x-long"]) == 1000
    assert not {"authorization", "cookie"} & set(stored.headers)
