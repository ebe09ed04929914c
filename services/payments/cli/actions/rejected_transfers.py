"""What the command `rejected-transfers` does."""

from contracts.money import format_money
from services.payments.cli.actions.command import Context, run
from services.payments.cli.actions.output import print_views
from services.payments.db import sessions
from services.payments.rejected_transfers.record import list_transfers
from services.payments.rejected_transfers.schemas import RejectedTransferView

COLUMNS = ("rejected_at", "transaction_id", "transfer", "reason", "status", "payment", "error")


class ListedTransfer(RejectedTransferView):
    @property
    def transfer(self) -> str:
        """The amount as people read it; without a payment, its currency is not known."""
        return "-" if self.amount is None else format_money(self.amount, self.currency or "???")


def rejected_transfers(*, without_payment: bool, limit: int, as_json: bool) -> None:
    """Print the bank transfers that Paystack rejected, newest first."""

    async def work(context: Context) -> list[ListedTransfer]:
        async with sessions() as session:
            rows = await list_transfers(session, limit, without_payment=without_payment)
            return [ListedTransfer.of(*row) for row in rows]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="There are no rejected transfers.")
