"""A purchase with the client that openapi-python-client generates from docs/openapi/shop.json. Runs in the generator's environment."""

import os
import time
from uuid import UUID, uuid4

import httpx
from shop_client import AuthenticatedClient
from shop_client.api.orders import get_order, place_order
from shop_client.api.payments import start_payment
from shop_client.models import (
    OrderStatus,
    OrderView,
    PaymentView,
    PlaceOrder,
    PlaceOrderResponse409,
    PlaceOrderResponse409Code,
    RequestedItem,
    StartPayment,
    StartPaymentResponse409,
    StartPaymentResponse409Code,
)

token = os.environ["TOKEN"]
catalog = AuthenticatedClient(os.environ["CATALOG_URL"], token)
payments = AuthenticatedClient(os.environ["PAYMENTS_URL"], token)


def place(quantity: int) -> OrderView | PlaceOrderResponse409:
    body = PlaceOrder(items=[RequestedItem(product_id=UUID(os.environ["PRODUCT_ID"]), quantity=quantity)])
    placed = place_order.sync(client=catalog, body=body, idempotency_key=uuid4().hex)
    assert isinstance(placed, OrderView | PlaceOrderResponse409), placed
    return placed


refused = place(4)
assert isinstance(refused, PlaceOrderResponse409), refused
assert refused.code is PlaceOrderResponse409Code.OUT_OF_STOCK
assert [product.left for product in refused.products] == [3]

order = place(1)
assert isinstance(order, OrderView), order
payment = start_payment.sync(client=payments, body=StartPayment(order_id=order.id), idempotency_key=uuid4().hex)
assert isinstance(payment, PaymentView), payment
sandbox = os.environ["SANDBOX_URL"]
httpx.post(f"{sandbox}/sandbox/transactions/{payment.reference}/pay").raise_for_status()

end = time.monotonic() + 30
while order.status is OrderStatus.PENDING and time.monotonic() < end:
    time.sleep(0.1)
    found = get_order.sync(order.id, client=catalog)
    assert isinstance(found, OrderView), found
    order = found

again = start_payment.sync(client=payments, body=StartPayment(order_id=order.id), idempotency_key=uuid4().hex)
assert isinstance(again, StartPaymentResponse409), again
assert again.code is StartPaymentResponse409Code.ORDER_NOT_PAYABLE
print(order.status)
