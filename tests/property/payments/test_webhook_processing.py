"""Webhooks with any body end processed or failed, at the first attempt."""

import json

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.paystack import charge
from tests.fixtures.json_values import NESTED, objects_like
from tests.fixtures.payments_jobs import process_webhook_events
from tests.fixtures.payments_requests import post_webhook
from tests.fixtures.payments_rows import webhook_events

FIELDS = objects_like(charge("pay-1"))


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=100),
            NESTED.map(lambda value: json.dumps(value).encode()),
            st.tuples(st.sampled_from(["charge.success", "refund.processed", "x"]), NESTED | FIELDS).map(
                lambda pair: json.dumps({"event": pair[0], "data": pair[1]}).encode()
            ),
        ),
        min_size=1,
        max_size=15,
    )
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_webhooks_whatever_their_bodies_end_processed_or_failed(
    payments_database: None, client: httpx.AsyncClient, bodies: list[bytes]
) -> None:
    for body in bodies:
        assert (await post_webhook(client, body)).status_code == 200
    await process_webhook_events()
    assert all(event.status in {"processed", "failed"} and event.attempts == 1 for event in await webhook_events())
