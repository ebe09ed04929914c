"""Who may call what: every operation of the three services as every kind of caller, compared with the table in docs/authorization.md."""

import time
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import jwt

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES, PROGRAM_SCOPES
from dev import PROJECT
from tests.fixtures.auth import AuthClient
from tests.fixtures.example_requests import Operation, operations
from tests.fixtures.stack_client import Json, StackClient, until

TABLE = PROJECT / "docs" / "authorization.md"
HEADER = (
    *("operation", "none", "expired", "other audience", "ended session", "guest"),
    *("other customer", "customer", "program", "support", "admin"),
)
SUPPORT_SCOPES = CUSTOMER_SCOPES | {"orders:read", "payments:read"}
FIELDS: dict[tuple[str, str], Json] = {
    ("/catalog/orders", "program"): {"customer": {"email": "chidi@example.com"}},
    ("/payments", "guest"): {"email": "guest@example.com"},
    ("/payments", "program"): {"email": "chidi@example.com"},
}
"""Fields that only some callers send, by path and caller."""

REFUSED = {401, 403, 404}
CALLBACK = "/payments/callback"
TAG = "authorization"


async def log_in(shop: StackClient, email: str | None = None) -> Json:
    """Log in, by default as a new account. Return the claims of the access token."""
    async with httpx.AsyncClient(base_url=shop.env["AUTH_URL"], timeout=15, trust_env=False) as http:
        auth = AuthClient(http)
        name = email or (await auth.register()).json()["email"]

        async def token() -> str | None:
            answer = await auth.login(name)
            if answer.status_code == 429:  # requests of the test had a wrong password
                return None
            return str(answer.json()["access_token"])

        return dict(jwt.decode(await until(token), options={"verify_signature": False}))


async def begin_as_guest(shop: StackClient) -> Json:
    """Begin as a guest. Return the tokens."""
    return dict((await shop.call("POST", f"{shop.env['AUTH_URL']}/auth/guests", expect=201)).json())


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
    product, ordered = await shop.product(stock=9), await shop.product(stock=99)
    del shop.acknowledged.stock[product["id"]]  # callers change it
    category = await shop.category()
    await shop.change_product(product, {"category_id": category["id"]})  # so that it cannot be deleted
    order = await shop.order(shop.bearer(customer), product)
    payment = await shop.start_payment(shop.bearer(customer), order)
    payable = await shop.order(shop.bearer(customer), ordered)
    account = (await log_in(shop))["sub"]
    mails = await shop.call("GET", f"{shop.env['AUTH_URL']}/auth/users/{account}/mails", headers=shop.admin)
    return {
        "product_id": product["id"],
        "variant_id": product["id"],
        "category_id": category["id"],
        "name": TAG,
        "order_id": order["id"],
        "payable_order_id": payable["id"],
        "ordered_product_id": ordered["id"],
        "status_token": order["status_token"],
        "reference": payment["reference"],
        "account_id": account,
        "mail_id": mails.json()["items"][0]["id"],
        "program_id": "reporter",
        "card_id": str(UUID(int=7)),
        "transfer_id": await reject_transfer(shop, payment["reference"]),
        **await dispute_and_refund(shop),
    }


async def reject_transfer(shop: StackClient, reference: str) -> str:
    """Send a bank transfer of a wrong amount, and return the id of the rejected transfer."""
    url = f"{shop.env['SANDBOX_URL']}/sandbox/transactions/{reference}/transfer"
    await shop.call("POST", url, json={"amount": 100}, expect=200)
    return str((await first_item(shop, "rejected-transfers", reference))["id"])


async def dispute_and_refund(shop: StackClient) -> dict[str, str]:
    """Pay for an order, refund a part and dispute the payment. Return the ids that paths name, and the reference `paid_reference`."""
    customer, _, payment = await shop.buy(await shop.product(stock=1))
    reference = payment["reference"]
    await shop.wait_payment_status(customer, reference, "succeeded")
    url, headers = f"{shop.env['PAYMENTS_URL']}/payments/{reference}/refunds", {"Idempotency-Key": str(uuid4())}
    refund = await shop.call("POST", url, json={"amount": 100}, headers={**shop.admin, **headers}, expect=202)
    await shop.wait_refunded_amount(customer, reference, 100)
    disputes = f"{shop.env['SANDBOX_URL']}/sandbox/disputes"
    await shop.call("POST", disputes, json={"reference": reference, "hours": 500}, expect=200)
    return {
        "paid_reference": reference,
        "refund_id": refund.json()["id"],
        "dispute_id": str((await first_item(shop, "disputes", reference))["id"]),
        "event_id": str((await first_item(shop, "webhook-events", reference))["id"]),
    }


async def first_item(shop: StackClient, path: str, reference: str) -> Json:
    """Wait until a list of payments has an item about a reference, and return it."""
    url = f"{shop.env['PAYMENTS_URL']}/payments/{path}"

    async def found() -> Json | None:
        page = (await shop.call("GET", url, params={"limit": 100}, headers=shop.admin, expect=200)).json()
        about = (each for each in page["items"] if reference in {each.get("reference"), each.get("payment")})
        return next(about, None)

    return await until(found)


def is_refused(answer: httpx.Response) -> bool:
    """Return False for a wrong password too, which says something about the body and not about the caller."""
    return answer.status_code in REFUSED and '"wrong_password"' not in answer.text


async def test_every_operation_answers_each_caller_as_the_table_says(shop: StackClient, tmp_path: Path) -> None:
    customer = await log_in(shop)
    values, headers = await path_values(shop, customer["sub"]), await callers(shop, customer)
    rows: list[tuple[str, ...]] = [HEADER]
    for operation in operations():
        if "{session_id}" in operation.path:
            values["session_id"] = (await log_in(shop, customer["email"]))["sid"]
        headers[HEADER.index("guest") - 1] = bearer_of(await begin_as_guest(shop))
        cells = []
        for name, caller in zip(HEADER[1:], headers, strict=True):
            answer = await ask(shop, operation, values, name, caller)
            cells.append(str(answer.status_code) if is_refused(answer) else "yes")
        rows.append((f"`{operation.method} {operation.path}`", *cells))
    found = [f"| {' | '.join(row)} |" for row in rows]
    found.insert(1, "|---" * len(HEADER) + "|")
    expected = [line for line in TABLE.read_text().splitlines() if line.startswith("|")]
    actual = tmp_path / "authorization.md"
    actual.write_text("\n".join(found))
    assert found == expected, f"if the difference is intended, copy {actual} into {TABLE}"


async def ask(
    shop: StackClient, operation: Operation, values: dict[str, str], name: str, caller: Json
) -> httpx.Response:
    """Send a valid request to an operation, with the headers of the caller with this name in HEADER."""
    path = operation.path
    if "{name}" in path:  # an earlier caller may have deleted the tag
        await shop.change_product({"id": values["product_id"]}, {"tags": [TAG]})
    if path.endswith("/stock"):  # an earlier caller may have made the stock unlimited
        await shop.receive({"id": values["product_id"]}, 1)
    content = operation.content(await body_values(shop, values, path))
    if operation.method == "POST":
        content.get("json", {}).update(FIELDS.get((path, name), {}))
    headers = {"Idempotency-Key": str(uuid4()), "If-Match": "*", **caller}
    answer = await shop.call(operation.method, url_of(shop, operation, values), headers=headers, **content)
    asked = f"{operation.method} {path} as {name}: {answer.text}"
    assert answer.status_code < 500, asked
    assert not any(f'"{code}"' in answer.text for code in ("invalid_request", "too_many_requests")), asked
    if (operation.method, path, answer.status_code) == ("POST", "/catalog/orders", 201):
        order = answer.json()
        shop.acknowledged.orders.setdefault(order["customer_id"], set()).add(order["id"])
    return answer


def url_of(shop: StackClient, operation: Operation, values: dict[str, str]) -> str:
    """Return the URL of an operation on what `path_values` has created."""
    reference = values["paid_reference"] if "{refund_id}" in operation.path else values["reference"]
    path = operation.path.format_map({**values, "reference": reference})
    query = f"?reference={reference}" if path == CALLBACK else ""
    return f"{shop.env[f'{operation.service.upper()}_URL']}{path}{query}"


async def body_values(shop: StackClient, values: dict[str, str], path: str) -> dict[str, object]:
    """Return fields of bodies: ids that exist, a new e-mail address, and a wrong password of the caller, whose session therefore stays."""
    found: dict[str, object] = {
        "email": f"{uuid4()}@example.com",
        "order_id": values["payable_order_id"],
        "parent_id": values["category_id"],
        "product_id": values["ordered_product_id"],
    }
    if path.startswith("/auth/me"):
        found |= dict.fromkeys(("password", "current_password"), "not the password")
    if path.endswith("/merge"):  # a guest can be merged once
        found["refresh_token"] = (await begin_as_guest(shop))["refresh_token"]
    return found


def bearer_of(tokens: Json) -> Json:
    """Return the Authorization header with an access token."""
    return {"Authorization": f"Bearer {tokens['access_token']}"}
