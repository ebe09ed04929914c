"""For scripts and tests: let the day of the payout come."""

from fastapi import APIRouter

from sandbox.integration import Merchant
from sandbox.settlements import book
from sandbox.wire import Answer, succeeded

router = APIRouter(prefix="/sandbox", tags=["Script"])


@router.post("/settlements")
async def settle(merchant: Merchant) -> Answer:
    """Settle now whatever was paid and is not settled, a settlement a currency. Refunds are deducted as far as it goes."""
    made = await merchant.store.run(lambda connection: book.settle(connection, merchant.settings.domain))
    return succeeded("Settled", [book.body(each) for each in made])
