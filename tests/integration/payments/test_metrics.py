"""Workers, and only they, export what is measured from the database; an API with several processes exports the sums of all of them."""

import asyncio
import os
import re
import subprocess
import sys
from uuid import uuid4

import httpx
import psutil
import pytest
from sqlalchemy import text

from services.payments.db import sessions
from services.payments.metrics import Metrics
from tests.factories.payments import create_payment
from tests.fixtures.metrics import metric
from tests.fixtures.service_process import Api, serving
from tests.fixtures.stack_client import until

WORKER_METRICS = {
    "outbox_oldest_age_seconds",
    "outbox_pending",
    "outbox_relay_active",
    "payments_held",
    "webhook_events_oldest_age_seconds",
    "inbox_unprocessed_entries",
    "refunds_that_need_an_operator",
    "refunds_refused",
    "rejected_transfers_failed",
    "disputes_open",
    "dispute_due_seconds",
    "sweeper_due",
    "sweeper_expected_seconds",
    "consumer_up",
}
NAME = re.compile(r"^([a-z_]+)(?:\{.*\})? ", re.MULTILINE)


async def test_ages_are_measured_while_nothing_relays_and_no_broker_is_reachable() -> None:
    await create_payment(status="held", held_reason="unknown_reference", order_id=None)
    event = "INSERT INTO outbox (event_id, type, body, created_at) VALUES (:id, 'payment.failed', '{}', now() - interval '96 s')"
    webhook_event = (
        "INSERT INTO webhook_events (key, body, next_attempt_at) VALUES ('a', '{}', now() - interval '90 s')"
    )
    async with sessions.begin() as session:
        await session.execute(text(event), {"id": uuid4()})
        await session.execute(text(webhook_event))
    reason = await Metrics(sessions).measure()
    assert (metric("outbox_pending"), metric("payments_held")) == (1, 1)
    assert 96 <= metric("outbox_oldest_age_seconds") < 156
    assert 90 <= metric("webhook_events_oldest_age_seconds") < 150
    assert "1 events are not published" in (reason or "")


def test_api_exports_no_metric_that_only_workers_measure() -> None:
    code = (
        "import services.payments.app; from prometheus_client import generate_latest; print(generate_latest().decode())"
    )
    exported = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    names = set(NAME.findall(exported))
    assert "paystack_circuit_open" in names
    assert names & WORKER_METRICS == set()


def test_worker_before_it_has_measured_exports_no_zero() -> None:
    code = "import services.payments.worker; from prometheus_client import generate_latest; print(generate_latest().decode())"
    exported = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert set(NAME.findall(exported)) & WORKER_METRICS == set()


async def scrape(api: Api) -> str:
    """Return /metrics over a connection of its own, so that any of the processes answers."""
    return (await api.client.get("/metrics", headers={"Connection": "close"})).text


async def refused_requests(api: Api) -> float:
    """Return how many requests without a token /metrics reports."""
    found = re.findall(
        r'^http_requests_total\{.*route="/payments".*status="401".*\} (\S+)$', await scrape(api), re.MULTILINE
    )
    return sum(map(float, found))


async def ask(api: Api, times: int) -> None:
    for _ in range(times):
        answer = await api.client.get("/payments", headers={"Connection": "close"})
        assert answer.status_code == 401


def serving_processes(api: Api) -> set[int]:
    """Return the processes that the supervisor of uvicorn has started, without multiprocessing's resource tracker."""
    running = [child for child in psutil.Process(api.pid).children() if child.status() != psutil.STATUS_ZOMBIE]
    return {child.pid for child in running if "resource_tracker" not in " ".join(child.cmdline())}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes share files in a folder")
async def test_api_with_several_processes_reports_the_sum_whichever_of_them_answers() -> None:
    async with serving("payments", WEB_CONCURRENCY="2") as api:
        before = await refused_requests(api)
        await ask(api, 20)
        assert {await refused_requests(api) for _ in range(10)} == {before + 20}
        shown = await scrape(api)
        assert re.findall(r"^paystack_circuit_open.*$", shown, re.MULTILINE) == ["paystack_circuit_open 0.0"]

        killed, *others = sorted(serving_processes(api))
        psutil.Process(killed).kill()

        async def replaced() -> bool | None:
            return True if len(serving_processes(api) - {killed}) > len(others) else None

        async def answered() -> bool | None:
            try:
                await ask(api, 5)
            except httpx.TransportError:  # a connection that the killed process had accepted
                return None
            return True

        await until(replaced, 30)
        await until(answered, 30)
        total = await refused_requests(api)
        assert total >= before + 25
        assert {await refused_requests(api) for _ in range(5)} == {total}
        (folder,) = [
            value for name, value in psutil.Process(others[0]).environ().items() if name == "PROMETHEUS_MULTIPROC_DIR"
        ]
        files = await asyncio.to_thread(os.listdir, folder)
        assert not [name for name in files if re.fullmatch(rf"gauge_live.*_{killed}\.db", name)]
        assert [name for name in files if name.endswith(f"_{killed}.db")], "the counters of the killed process are kept"
    assert not await asyncio.to_thread(os.path.exists, folder)
