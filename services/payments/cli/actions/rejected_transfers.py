"""What the commands of `rejected-transfers` do."""

from contracts.money import format_money
from kit.audit.actor import command_actor
from services.payments.cli.actions.command import Context, run
from services.payments.cli.actions.output import print_result, print_views
from services.payments.db import Topic, sessions
from services.payments.rejected_transfers import retry as retries
from services.payments.rejected_transfers.record import list_transfers
from services.payments.rejected_transfers.schemas import RejectedTransferView

COLUMNS = ("id", "rejected_at", "transaction_id", "transfer", "reason", "status", "payment", "error")


class ListedTransfer(RejectedTransferView):
    @property
    def transfer(self) -> str:
        """The amount as people read it; without a payment, its currency is not known."""
        return "-" if self.amount is None else format_money(self.amount, self.currency or "???")


def list_rejected_transfers(*, without_payment: bool, failed: bool, limit: int, as_json: bool) -> None:
    """Print the bank transfers that Paystack rejected, newest first."""

    async def work(context: Context) -> list[ListedTransfer]:
        async with sessions() as session:
            rows = await list_transfers(session, limit, without_payment=without_payment, failed=failed)
            return [ListedTransfer.of(*row) for row in rows]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="There are no rejected transfers.")


def retry(transfer_id: int, *, as_json: bool) -> None:
    """Have the payment of a rejected transfer looked up again."""

    async def work(context: Context) -> RejectedTransferView:
        async with sessions.begin() as session:
            view = RejectedTransferView.of(await retries.retry(session, transfer_id, command_actor()), None, None)
        context.notifier.notify(Topic.TRANSFERS)
        return view

    sentence = f"The worker asks Paystack again to which payment transfer {transfer_id} belongs."
    print_result(run(work), sentence, as_json=as_json)
