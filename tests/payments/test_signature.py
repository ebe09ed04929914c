"""Nothing is stored that does not carry the one signature Paystack makes: HMAC-SHA512 of the raw bytes, lowercase hex."""

import hashlib
import hmac
import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.webhooks import intake
from services.payments.webhooks.intake import is_signed
from tests.conftest import PAYSTACK_SECRET_KEY
from tests.payments.conftest import WEBHOOK, charge, send, sign, stored

BODY = b'{"event":"charge.success","data":{"amount":1.0e2,"reference":"a\\/b"}}'
GOOD = sign(BODY)
KEY = PAYSTACK_SECRET_KEY.encode()
OLD_KEY = "sk_test_" + "b" * 24


async def refused(client: httpx.AsyncClient, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    answer = await client.post(WEBHOOK, content=body, headers=headers)
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "bad_signature"
    assert await stored() == []


async def test_the_right_signature_is_accepted(client: httpx.AsyncClient) -> None:
    assert (await send(client, BODY)).status_code == 200
    (notice,) = await stored()
    assert notice.body == BODY
    assert notice.headers["x-paystack-signature"] == GOOD


async def test_no_signature(client: httpx.AsyncClient) -> None:
    await refused(client, BODY, [])


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
        "no ASCII",
        "no text",
        "look-alike",
    ],
)
async def test_any_other_signature(client: httpx.AsyncClient, signature: bytes) -> None:
    await refused(client, BODY, [(b"x-paystack-signature", signature)])


@pytest.mark.parametrize(
    "body", [b"\xef\xbb\xbf" + BODY, BODY + b"\n", BODY + b" ", BODY[:-1], BODY.replace(b"\\/", b"/"), b""]
)
async def test_another_body_under_a_good_signature(client: httpx.AsyncClient, body: bytes) -> None:
    await refused(client, body, [(b"x-paystack-signature", GOOD.encode())])


@pytest.mark.parametrize("second", [GOOD, "0" * 128, ""])
async def test_two_signatures_are_none(client: httpx.AsyncClient, second: str) -> None:
    for pair in ((GOOD, second), (second, GOOD)):
        await refused(client, BODY, [(b"x-paystack-signature", value.encode()) for value in pair])


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_one_bit_decides(data: st.DataObject) -> None:
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
def test_no_bytes_sign_anything(signature: bytes) -> None:
    assert not is_signed(BODY, signature, [KEY])
    assert not is_signed(BODY, signature, [])


async def test_the_old_key_counts_while_it_is_configured(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps(charge("pay-1")).encode()
    assert (await send(client, body, sign(body, OLD_KEY))).status_code == 401
    monkeypatch.setattr(intake, "KEYS", [KEY, OLD_KEY.encode()])
    assert (await send(client, body, sign(body, OLD_KEY))).status_code == 200
    assert (await send(client, body)).status_code == 200
    assert len(await stored()) == 1


async def test_without_a_key_there_is_no_webhook(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "KEYS", [])
    for signature in (GOOD, sign(BODY, ""), ""):
        answer = await send(client, BODY, signature)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_configured")
    assert await stored() == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_other_methods(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, WEBHOOK)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


async def test_what_is_kept_of_the_headers(client: httpx.AsyncClient) -> None:
    headers = {
        "x-paystack-signature": GOOD,
        "authorization": "Bearer not-ours-to-keep",
        "cookie": "session=1",
        "x-forwarded-for": "203.0.113.7",
        "x-long": "a" * 5000,
    }
    assert (await client.post(WEBHOOK, content=BODY, headers=headers)).status_code == 200
    (notice,) = await stored()
    assert notice.headers["x-forwarded-for"] == "203.0.113.7"
    assert len(notice.headers["x-long"]) == 1000
    assert not {"authorization", "cookie"} & set(notice.headers)
