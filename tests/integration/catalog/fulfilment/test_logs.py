"""Log lines about orders carry the order, the payment's reference and the trace id of the purchase."""

import httpx
import pytest

from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import dispute_resolved, payment_succeeded
from tests.fixtures.catalog import end_reservation, expire_orders, handle_events
from tests.fixtures.log_lines import log_lines

TRACE_IDS = [f"{number:032x}" for number in (1, 2, 3)]


def traceparent(trace_id: str) -> str:
    return f"00-{trace_id}-00000000000000aa-01"


async def test_log_when_a_batch_has_events_of_several_traces_then_each_line_has_its_own(
    client: httpx.AsyncClient, customer: Headers, caplog: pytest.LogCaptureFixture
) -> None:
    cup = await create_product(5)
    one, two = [await create_order(client, customer, {cup: 1}) for _ in range(2)]
    first, second, third = (traceparent(trace_id) for trace_id in TRACE_IDS)
    caplog.clear()
    await handle_events(
        payment_succeeded(one, "r1", traceparent=first),
        payment_succeeded(one, "r2", traceparent=second),
        dispute_resolved(two, "r3", lost=True, traceparent=third),
    )
    found = {line["event"]: (line["order_id"], line["reference"], line["trace_id"]) for line in log_lines(caplog)}
    assert found == {
        "order delivered": (str(one), "r1", TRACE_IDS[0]),
        "order undeliverable": (str(one), "r2", TRACE_IDS[1]),
        "dispute lost": (str(two), "r3", TRACE_IDS[2]),
    }


async def test_log_when_an_order_expires_then_the_line_has_its_id(
    client: httpx.AsyncClient, customer: Headers, caplog: pytest.LogCaptureFixture
) -> None:
    order_id = await create_order(client, customer, {await create_product(5): 1})
    await end_reservation(order_id)
    caplog.clear()
    await expire_orders()
    assert [(line["event"], line["order_id"]) for line in log_lines(caplog)] == [("order expired", str(order_id))]
