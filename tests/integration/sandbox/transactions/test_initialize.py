import json
import re
from typing import Any

import pytest

from sandbox.transactions.parsing import MAXIMUM_AMOUNT
from tests.fixtures.merchant import KEY, ORIGIN, Merchant

VALID = {"email": "ada@example.com", "amount": 250_000, "currency": "NGN"}


async def test_initialize_with_a_reference_returns_the_checkout_address(shared_merchant: Merchant) -> None:
    response = await shared_merchant.initialize(**VALID, reference="order-1.a=b_c")
    assert response.status_code == 200
    body = response.json()
    assert body["status"] is True
    assert body["message"] == "Authorization URL created"
    assert body["data"].keys() == {"authorization_url", "access_code", "reference"}
    assert body["data"]["reference"] == "order-1.a=b_c"
    assert re.fullmatch(r"[a-z0-9]{15}", body["data"]["access_code"])
    assert body["data"]["authorization_url"] == f"{ORIGIN}/checkout/{body['data']['access_code']}"


async def test_initialize_with_a_form_is_accepted(shared_merchant: Merchant) -> None:
    response = await shared_merchant.call(
        "POST", "/transaction/initialize", data={"email": "ada@example.com", "amount": "700", "metadata": '{"n": 7}'}
    )
    transaction = await shared_merchant.verify(response.json()["data"]["reference"])
    assert (transaction["amount"], transaction["metadata"]) == (700, {"n": 7})


async def test_initialize_without_a_reference_generates_one(shared_merchant: Merchant) -> None:
    first, second = await shared_merchant.start(reference=None), await shared_merchant.start()
    assert first["reference"] != second["reference"]


@pytest.mark.parametrize("currency", [{}, {"currency": None}])
async def test_initialize_without_a_currency_uses_naira(shared_merchant: Merchant, currency: dict[str, None]) -> None:
    response = await shared_merchant.initialize(email="ada@example.com", amount=100, **currency)
    assert (await shared_merchant.verify(response.json()["data"]["reference"]))["currency"] == "NGN"


@pytest.mark.parametrize(
    ("sent", "returned"),
    [
        ({"a": 42, "b": [1.5, True, None, {"c": 2.0}]}, {"a": "42", "b": ["1.5", True, None, {"c": "2"}]}),
        ('{"a": 42, "b": [1.5, true]}', {"a": 42, "b": [1.5, True]}),
        ("no json", "no json"),
        (None, ""),
        ({}, {}),
        ({"lone": "\ud800"}, {"lone": "\ud800"}),
    ],
)
async def test_metadata_of_each_type_is_returned_as_paystack_returns_it(
    shared_merchant: Merchant, sent: Any, returned: Any
) -> None:
    body = json.dumps({**VALID, "metadata": sent}).encode()
    response = await shared_merchant.call("POST", "/transaction/initialize", content=body)
    assert (await shared_merchant.verify(response.json()["data"]["reference"]))["metadata"] == returned


@pytest.mark.parametrize(
    ("change", "message", "code"),
    [
        ({"email": None}, "Email Address is required", "missing_params"),
        ({"email": "ada"}, "Invalid Email Address Passed", "invalid_email_address"),
        ({"email": "ada@example"}, "Invalid Email Address Passed", "invalid_email_address"),
        ({"email": ["ada@example.com"]}, "Invalid Email Address Passed", "invalid_email_address"),
        ({"email": "a\ud800@example.com"}, "Invalid Email Address Passed", "invalid_email_address"),
        ({"amount": None}, "Amount is required", "missing_params"),
        ({"amount": 100.5}, '"amount" must be an integer', "invalid_amount"),
        ({"amount": "100.50"}, '"amount" must be an integer', "invalid_amount"),
        ({"amount": True}, '"amount" must be an integer', "invalid_amount"),
        ({"amount": 0}, "Invalid Amount Sent", "invalid_amount"),
        ({"amount": "-5"}, "Invalid Amount Sent", "invalid_amount"),
        ({"amount": MAXIMUM_AMOUNT + 1}, "Amount cannot be more than 10,000,000", "invalid_amount"),
        ({"currency": "EUR"}, "Currency not supported by merchant", "unsupported_currency"),
        ({"currency": "ngn"}, "Currency not supported by merchant", "unsupported_currency"),
        ({"currency": 566}, "Currency not supported by merchant", "unsupported_currency"),
        (
            {"reference": "a/b"},
            "reference must have 1 to 200 characters: letters, digits and - . = _",
            "invalid_params",
        ),
        (
            {"reference": "a" * 201},
            "reference must have 1 to 200 characters: letters, digits and - . = _",
            "invalid_params",
        ),
        ({"callback_url": "javascript:alert(1)"}, "callback_url must be an http or https URL", "invalid_params"),
        ({"callback_url": "https://[::"}, "callback_url must be an http or https URL", "invalid_params"),
        ({"callback_url": "https://a\r\nb"}, "callback_url must be an http or https URL", "invalid_params"),
    ],
)
async def test_initialize_with_an_invalid_field_is_refused(
    shared_merchant: Merchant, change: dict[str, Any], message: str, code: str
) -> None:
    response = await shared_merchant.call(
        "POST", "/transaction/initialize", content=json.dumps(VALID | change).encode()
    )
    assert response.status_code == 400
    body = response.json()
    assert (body["status"], body["message"], body["type"], body["code"]) == (False, message, "validation_error", code)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"amount": NaN}',
        b'{"amount": ' + b"9" * 5_000 + b"}",
        b'{"email": "a@example.com", "amount": 1, "metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"email": "a@example.com", "amount": 1, "metadata": ' + b"[" * 700 + b"]" * 700 + b"}",
        b'{"email": "a@example.com", "amount": 1, "metadata": [1e999]}',
    ],
)
async def test_initialize_with_an_unreadable_body_is_refused(shared_merchant: Merchant, body: bytes) -> None:
    response = await shared_merchant.call("POST", "/transaction/initialize", content=body)
    # Whether 700 brackets can be parsed depends on the interpreter's stack.
    assert response.status_code in ((200, 400) if body.count(b"[") == 700 else (400,))


async def test_initialize_with_a_used_reference_is_refused(shared_merchant: Merchant) -> None:
    await shared_merchant.start(reference="once")
    assert (await shared_merchant.pay("once")).status_code == 200
    response = await shared_merchant.initialize(**VALID | {"amount": 1}, reference="once")
    assert response.status_code == 400
    assert response.json()["message"] == "Duplicate Transaction Reference"
    assert response.json()["code"] == "duplicate_reference"
    assert response.json()["meta"]["nextStep"]


@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer sk_test_other", KEY, f"bearer {KEY}x", "Bearer \xe9"])
async def test_call_without_the_secret_key_is_refused(shared_merchant: Merchant, shown: str | None) -> None:
    headers = [] if shown is None else [(b"authorization", shown.encode("latin-1"))]
    for method, path in [
        ("POST", "/transaction/initialize"),
        ("GET", "/transaction/verify/x"),
        ("GET", "/transaction"),
    ]:
        response = await shared_merchant.http.request(method, path, headers=headers)
        assert response.status_code == 401
        body = response.json()
        assert (body["message"], body["code"]) == ("Invalid key", "invalid_Key")


async def test_body_above_the_limit_is_refused(shared_merchant: Merchant) -> None:
    response = await shared_merchant.call("POST", "/transaction/initialize", content=b" " * (3 * 1024 * 1024))
    assert response.status_code == 413
