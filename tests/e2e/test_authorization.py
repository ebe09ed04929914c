"""Who may call what: every operation of the three services as every kind of caller, compared with the table in docs/authorization.md."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES, PROGRAM_SCOPES
from dev import PROJECT
from tests.fixtures.auth import PASSWORD
from tests.fixtures.stack_client import Json, StackClient

TABLE = PROJECT / "docs" / "authorization.md"
SERVICES = ("auth", "catalog", "payments")
HEADER = ("operation", "none", "expired", "other audience", "other customer", "customer", "program", "support", "admin")
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


async def register(shop: StackClient) -> str:
    """Register an account and return its id."""
    body = {"email": f"{uuid4()}@example.com", "password": PASSWORD}
    return str((await shop.call("POST", f"{shop.env['AUTH_URL']}/auth/users", json=body, expect=201)).json()["id"])


async def callers(shop: StackClient, customer: str) -> list[Json]:
    """Return the headers of the callers, in the order of HEADER."""
    other, support, admin = [await register(shop) for _ in range(3)]
    return [
        {},
        shop.bearer(customer, exp=int(time.time()) - 600),
        shop.bearer(customer, aud="elsewhere"),
        shop.bearer(other),
        shop.bearer(customer),
        shop.bearer("reporter", PROGRAM_SCOPES, client_id="reporter", email=None),
        shop.bearer(support, SUPPORT_SCOPES),
        shop.bearer(admin, ADMIN_SCOPES),
    ]


async def path_values(shop: StackClient, customer: str) -> dict[str, str]:
    """Create what the paths name. There is no card, so every customer gets 404."""
    product = await shop.product()
    category = await shop.category()
    await shop.change_product(product, {"category_id": category["id"]})  # so that it cannot be deleted
    order = await shop.order(shop.bearer(customer), product)
    payment = await shop.start_payment(shop.bearer(customer), order)
    missing = str(UUID(int=7))
    return {
        "product_id": product["id"],
        "category_id": category["id"],
        "name": TAG,
        "order_id": order["id"],
        "reference": payment["reference"],
        **dict.fromkeys(("card_id", "dispute_id", "event_id", "refund_id"), missing),
    }


async def test_every_operation_answers_each_caller_as_the_table_says(shop: StackClient, tmp_path: Path) -> None:
    customer = await register(shop)
    values, headers = await path_values(shop, customer), await callers(shop, customer)
    rows: list[tuple[str, ...]] = [HEADER]
    for service, method, path in operations():
        url = shop.env[f"{service.upper()}_URL"] + re.sub(r"{(\w+)}", lambda name: values[name[1]], path)
        if path == CALLBACK:
            url += f"?reference={values['reference']}"
        cells = []
        for caller in headers:
            if "{name}" in path:  # an earlier caller may have deleted the tag
                await shop.change_product({"id": values["product_id"]}, {"tags": [TAG]})
            body: Json | None = None if method in {"GET", "DELETE"} else {}
            answer = await shop.call(method, url, headers={"Idempotency-Key": str(uuid4()), **caller}, json=body)
            assert answer.status_code < 500, answer.text
            cells.append(str(answer.status_code) if answer.status_code in REFUSED else "yes")
        rows.append((f"`{method} {path}`", *cells))
    found = [f"| {' | '.join(row)} |" for row in rows]
    found.insert(1, "|---" * len(HEADER) + "|")
    expected = [line for line in TABLE.read_text().splitlines() if line.startswith("|")]
    actual = tmp_path / "authorization.md"
    actual.write_text("\n".join(found))
    assert found == expected, f"if the difference is intended, copy {actual} into {TABLE}"
