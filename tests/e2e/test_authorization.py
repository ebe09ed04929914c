"""Who may call what: every operation of the three services as every kind of caller, compared with the table in docs/authorization.md."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import jwt

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES, PROGRAM_SCOPES
from dev import PROJECT
from tests.fixtures.auth import AuthClient
from tests.fixtures.stack_client import Json, StackClient, until

TABLE = PROJECT / "docs" / "authorization.md"
SERVICES = ("auth", "catalog", "payments")
HEADER = (
    *("operation", "none", "expired", "other audience", "ended session", "guest"),
    *("other customer", "customer", "program", "support", "admin"),
)
SUPPORT_SCOPES = CUSTOMER_SCOPES | {"orders:read", "payments:read"}
REFUSED = {401, 403, 404}
CALLBACK = "/payments/callback"
TAG = "authorization"


def operations() -> Iterator[tuple[str, str, str]]:
    """Yield the service, method and path of every operation."""
    for service in SERVICES:
        document = json.loads((PROJECT / "docs" / "openapi" / f"{service}.json").read_text())
        for path, methods in document["paths"].items():
            if path in {"/", "/livez", "/readyz"} and service != SERVICES[0]:
                continue  # the same in every service
            yield from ((service, method.upper(), path) for method in methods)


async def log_in(shop: StackClient, email: str | None = None) -> Json:
    """Log in, by default as a new account. Return the claims of the access token."""
    async with httpx.AsyncClient(base_url=shop.env["AUTH_URL"], timeout=15, trust_env=False) as http:
        auth = AuthClient(http)
        email = email or (await auth.register()).json()["email"]
        token = (await auth.login(email)).json()["access_token"]
    return dict(jwt.decode(token, options={"verify_signature": False}))


async def begin_as_guest(shop: StackClient) -> Json:
    """Begin as a guest. Return the Authorization header."""
    tokens = (await shop.call("POST", f"{shop.env['AUTH_URL']}/auth/guests", expect=201)).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def callers(shop: StackClient, customer: Json) -> list[Json]:
    """Return the headers of the callers, in the order of HEADER."""

    def bearer(account: Json, scopes: frozenset[str] = CUSTOMER_SCOPES, **claims: object) -> Json:
        return shop.bearer(account["sub"], scopes, sid=account["sid"], email=account.get("email"), **claims)

    other, support, admin, ended = [await log_in(shop) for _ in range(4)]
    await end_session(shop, ended["sid"], bearer(ended))
    return [
        {},
        bearer(customer, exp=int(time.time()) - 600),
        bearer(customer, aud="elsewhere"),
        bearer(ended),
        {},  # a new guest for each operation, because guests can delete themselves
        bearer(other),
        bearer(customer),
        shop.bearer("reporter", PROGRAM_SCOPES, client_id="reporter", email=None),
        bearer(support, SUPPORT_SCOPES),
        bearer(admin, ADMIN_SCOPES),
    ]


async def end_session(shop: StackClient, sid: str, headers: Json) -> None:
    """End a session, and wait until every service refuses its access tokens."""
    await shop.call("DELETE", f"{shop.env['AUTH_URL']}/auth/sessions/{sid}", headers=headers, expect=204)
    for url in (
        f"{shop.env['AUTH_URL']}/auth/check",  # /auth/me looks at the database, and so knows it earlier
        f"{shop.env['CATALOG_URL']}/catalog/orders",
        f"{shop.env['PAYMENTS_URL']}/payments",
    ):

        async def refused(url: str = url) -> bool | None:
            return True if (await shop.call("GET", url, headers=headers)).status_code == 401 else None

        await until(refused)


async def path_values(shop: StackClient, customer: str) -> dict[str, str]:
    """Create what the paths name, except a session. There is no card, so every customer gets 404."""
    product = await shop.product(stock=9)
    del shop.acknowledged.stock[product["id"]]  # callers change it
    category = await shop.category()
    await shop.change_product(product, {"category_id": category["id"]})  # so that it cannot be deleted
    order = await shop.order(shop.bearer(customer), product)
    payment = await shop.start_payment(shop.bearer(customer), order)
    missing = str(UUID(int=7))
    return {
        "product_id": product["id"],
        "variant_id": product["id"],
        "category_id": category["id"],
        "name": TAG,
        "order_id": order["id"],
        "status_token": order["status_token"],
        "reference": payment["reference"],
        "account_id": (await log_in(shop))["sub"],
        "program_id": "reporter",
        **dict.fromkeys(("card_id", "dispute_id", "event_id", "refund_id", "transfer_id"), missing),
    }


def is_refused(answer: httpx.Response) -> bool:
    """Return False for a wrong password too, which says something about the body and not about the caller."""
    return answer.status_code in REFUSED and '"wrong_password"' not in answer.text


async def receive_stock(shop: StackClient, product_id: str) -> None:
    """Receive a unit of a product, so that its stock is counted."""
    url = f"{shop.env['CATALOG_URL']}/catalog/products/{product_id}/stock-movements"
    body = {"kind": "received", "quantity": 1, "reason": "test"}
    await shop.call("POST", url, headers={**shop.admin, "Idempotency-Key": str(uuid4())}, json=body, expect=201)


async def test_every_operation_answers_each_caller_as_the_table_says(shop: StackClient, tmp_path: Path) -> None:
    customer = await log_in(shop)
    values, headers = await path_values(shop, customer["sub"]), await callers(shop, customer)
    mails = f"{shop.env['AUTH_URL']}/auth/users/{values['account_id']}/mails"
    values["mail_id"] = (await shop.call("GET", mails, headers=headers[-1])).json()["items"][0]["id"]
    rows: list[tuple[str, ...]] = [HEADER]
    for service, method, path in operations():
        if "{session_id}" in path:
            values["session_id"] = (await log_in(shop, customer["email"]))["sid"]
        url = shop.env[f"{service.upper()}_URL"] + re.sub(r"{(\w+)}", lambda name: values[name[1]], path)
        if path == CALLBACK:
            url += f"?reference={values['reference']}"
        headers[HEADER.index("guest") - 1] = await begin_as_guest(shop)
        cells = []
        for caller in headers:
            if "{name}" in path:  # an earlier caller may have deleted the tag
                await shop.change_product({"id": values["product_id"]}, {"tags": [TAG]})
            if path.endswith("/stock"):  # an earlier caller may have made the stock unlimited
                await shop.receive({"id": values["product_id"]}, 1)
            body: Json | None = None if method in {"GET", "DELETE"} else {}
            answer = await shop.call(method, url, headers={"Idempotency-Key": str(uuid4()), **caller}, json=body)
            assert answer.status_code < 500, answer.text
            cells.append(str(answer.status_code) if is_refused(answer) else "yes")
        rows.append((f"`{method} {path}`", *cells))
    found = [f"| {' | '.join(row)} |" for row in rows]
    found.insert(1, "|---" * len(HEADER) + "|")
    expected = [line for line in TABLE.read_text().splitlines() if line.startswith("|")]
    actual = tmp_path / "authorization.md"
    actual.write_text("\n".join(found))
    assert found == expected, f"if the difference is intended, copy {actual} into {TABLE}"
