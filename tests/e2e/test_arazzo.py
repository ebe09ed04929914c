"""docs/purchase.arazzo.yaml describes a purchase that works."""

import json
from uuid import uuid4

import pytest

from dev import PROJECT
from dev.merged_openapi import ROUTED, is_routed
from tests.fixtures.arazzo import Runner, StepFailed, load
from tests.fixtures.stack_client import Json, StackClient

pytestmark = pytest.mark.usefixtures("invariants")
DESCRIPTION = PROJECT / "docs" / "purchase.arazzo.yaml"


@pytest.fixture
async def runner(shop: StackClient) -> Runner:
    """The runner of the description. The stack has no gateway: the paths of the source `shop` go to the services."""
    documents = {
        "shop": json.loads((PROJECT / "docs" / "openapi" / "shop.json").read_text(encoding="utf-8")),
        "sandbox": (await shop.call("GET", f"{shop.env['SANDBOX_URL']}/openapi.json", expect=200)).json(),
    }

    def base_url(source: str, path: str) -> str:
        if source == "sandbox":
            return shop.env["SANDBOX_URL"]
        (service,) = [name for name in ROUTED if is_routed(name, path)]
        return shop.env[f"{service.upper()}_URL"]

    return Runner(load(DESCRIPTION), documents, base_url, shop.client)


def inputs(product: Json) -> Json:
    return {
        "email": f"{uuid4().hex}@example.com",
        "password": "correct horse battery staple",
        "search": product["name"],
        "order_key": uuid4().hex,
        "payment_key": uuid4().hex,
    }


async def test_described_purchase_delivers_the_order(runner: Runner, shop: StackClient) -> None:
    product = await shop.product(stock=2)
    outputs = await runner.run("purchase", inputs(product))
    assert outputs["status"] == "delivered"
    payment = await shop.payment(shop.admin, outputs["reference"])
    assert (payment["status"], payment["order_id"]) == ("succeeded", outputs["order_id"])
    assert await shop.stock(product) == 1


async def test_described_purchase_of_a_sold_out_product_fails_at_the_order(runner: Runner, shop: StackClient) -> None:
    with pytest.raises(StepFailed, match=r"place_order: 409 .*out_of_stock"):
        await runner.run("purchase", inputs(await shop.product(stock=0)))
