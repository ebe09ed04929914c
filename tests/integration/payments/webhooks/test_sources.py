"""Addresses from which webhooks are accepted: PAYMENTS_WEBHOOK_SOURCES."""

from collections.abc import Sequence

import pytest

from kit.http.client_address import TrustedProxies
from kit.log_throttling import LogThrottle
from services.payments.mode import Mode
from services.payments.paystack.webhook_addresses import WEBHOOK_ADDRESSES
from services.payments.webhooks import sources
from services.payments.webhooks.sources import WebhookSources
from tests.fakes.paystack import webhook_body
from tests.fixtures.apps import RunningApp
from tests.fixtures.log_lines import log_lines
from tests.fixtures.metrics import metric
from tests.fixtures.payments_requests import WEBHOOK_PATH, sign
from tests.fixtures.payments_rows import webhook_events

GATEWAY, TLS_SERVER, OTHER = "172.20.0.9", "10.9.0.5", "198.51.100.1"
PAYSTACK = WEBHOOK_ADDRESSES[0]
REFUSED = (403, "webhook_address_not_allowed")


async def post(
    payments: RunningApp, peer: str, forwarded_for: str | None = None, body: bytes | None = None
) -> tuple[int, str]:
    """Send a signed webhook from this peer. Return the status and the code of the answer."""
    raw = webhook_body({"event": "x", "data": {}}) if body is None else body
    headers = {"x-paystack-signature": sign(raw)}
    if forwarded_for is not None:
        headers["X-Forwarded-For"] = forwarded_for
    async with payments.client("http://test", peer) as client:
        answer = await client.post(WEBHOOK_PATH, content=raw, headers=headers)
    return answer.status_code, answer.json().get("code", "")


@pytest.mark.parametrize(
    ("chosen", "mode", "accepted", "refused"),
    [
        ([], Mode.LIVE, WEBHOOK_ADDRESSES, [OTHER, "127.0.0.1", "::1", "52.31.139.76"]),
        ([], Mode.TEST, [*WEBHOOK_ADDRESSES, OTHER, "::1"], []),
        (["any"], Mode.LIVE, [PAYSTACK, OTHER], []),
        (["paystack"], Mode.TEST, [*WEBHOOK_ADDRESSES, f"::ffff:{PAYSTACK}"], [OTHER]),
        (["198.51.100.0/24", "2001:db8::/32"], Mode.LIVE, [OTHER, "2001:db8::7"], [PAYSTACK, "198.51.101.1"]),
        (["paystack", OTHER], Mode.LIVE, [PAYSTACK, OTHER], ["198.51.100.2"]),
    ],
)
async def test_webhook_when_its_address_is_not_a_source_is_refused(
    payments: RunningApp, chosen: Sequence[str], mode: Mode, accepted: Sequence[str], refused: Sequence[str]
) -> None:
    payments.state["webhook_sources"] = WebhookSources(chosen, mode)
    assert [await post(payments, address) for address in accepted] == [(200, "")] * len(accepted)
    stored = len(await webhook_events())
    before = metric("webhook_requests_total", result="address_not_allowed")
    assert [await post(payments, address, body=b"{}") for address in refused] == [REFUSED] * len(refused)
    assert len(await webhook_events()) == stored
    assert metric("webhook_requests_total", result="address_not_allowed") - before == len(refused)


async def test_webhook_behind_trusted_proxies_has_the_address_of_their_client(payments: RunningApp) -> None:
    payments.state["webhook_sources"] = WebhookSources([], Mode.LIVE)
    assert await post(payments, OTHER, PAYSTACK) == REFUSED  # no proxy is trusted
    payments.state["trusted_proxies"] = TrustedProxies([GATEWAY, TLS_SERVER])
    assert await post(payments, OTHER, PAYSTACK) == REFUSED
    assert await post(payments, GATEWAY, PAYSTACK) == (200, "")
    assert await post(payments, GATEWAY, f"{OTHER}, {PAYSTACK}, {TLS_SERVER}") == (200, "")
    for forged in (f"{PAYSTACK}, {OTHER}", f"{PAYSTACK}, {OTHER}, {TLS_SERVER}", "", "x", None, GATEWAY):
        assert await post(payments, GATEWAY, forged) == REFUSED


async def test_webhook_when_it_is_refused_is_logged_with_its_address_once_a_minute(
    payments: RunningApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sources, "log_throttled", LogThrottle().log)
    payments.state["webhook_sources"] = WebhookSources([], Mode.LIVE)
    caplog.clear()
    for address in (OTHER, "198.51.100.2"):
        assert await post(payments, address) == REFUSED
    (line,) = [line for line in log_lines(caplog) if line["event"] == "webhook refused"]
    assert (line["level"], line["address"]) == ("warning", OTHER)
