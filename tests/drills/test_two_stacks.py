"""Two `make run` at the same time: each stack has ports, servers and databases of its own, and sells."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from dev.stack.names import APIS, WORKERS
from dev.stack.stack import Stack
from tests.fixtures.environment import services_environment_removed
from tests.fixtures.stack_client import StackClient

pytestmark = [pytest.mark.drill, pytest.mark.alone]


async def test_two_stacks_when_started_at_once_listen_on_different_ports_and_deliver(tmp_path: Path) -> None:
    folders = tmp_path / "first", tmp_path / "second"
    async with AsyncExitStack() as running:
        with services_environment_removed():
            starting = [running.enter_async_context(Stack(folder, ports="usual")) for folder in folders]
            stacks = await asyncio.gather(*starting)
        urls = [stack.url(name) for stack in stacks for name in (*APIS, *WORKERS)]
        assert len(set(urls)) == len(urls)
        client = await running.enter_async_context(httpx.AsyncClient(timeout=15, trust_env=False))
        for stack in stacks:
            shop = StackClient(stack, client)
            customer, order, _ = await shop.buy(await shop.product(stock=1))
            await shop.wait_delivered(customer, order, 60)
            assert all(stack.start_count(name) == 1 for name in (*APIS, *WORKERS))
