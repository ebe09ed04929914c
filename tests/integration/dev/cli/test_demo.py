"""`make demo GATEWAY=…` without a shop says what to start."""

import pytest

from dev.cli.demo import check_gateway
from dev.process import ports
from dev.process.program import NotStarted


async def test_gateway_when_nothing_listens_then_the_message_names_the_command_that_starts_the_shop() -> None:
    (port,) = ports.reserve_free(1)
    try:
        with pytest.raises(NotStarted, match="docker compose --profile sandbox up"):
            await check_gateway(f"http://127.0.0.1:{port}")
    finally:
        ports.release([port])


async def test_gateway_when_it_is_no_url_then_the_message_names_it() -> None:
    with pytest.raises(NotStarted, match="GATEWAY=localhost:8080"):
        await check_gateway("localhost:8080")
