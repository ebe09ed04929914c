"""Every variant of `make demo` ends with a delivery."""

import io

import httpx
import pytest
from rich.console import Console

from dev.cli.calls import Calls
from dev.cli.demo import VARIANTS, shop_of
from dev.cli.transfer_purchase import TransferPurchase
from dev.stack.stack import Stack


@pytest.mark.parametrize("variant", VARIANTS)
async def test_demo_of_each_variant_ends_with_a_delivery(stack: Stack, variant: str) -> None:
    terminal = Console(file=io.StringIO(), width=500)
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        await VARIANTS[variant](shop_of(stack.env), Calls(client, terminal)).make()
    printed = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "webhook, settlement, event, delivery" in printed
    assert ("meanwhile the payment is pending" in printed) == (VARIANTS[variant] is TransferPurchase)
