"""What the command `unrelated-charges` does."""

from sqlalchemy import select

from contracts.money import format_money
from services.payments.cli.actions.command import Context, run
from services.payments.cli.actions.output import print_views
from services.payments.db import sessions
from services.payments.unrelated_charges.models import UnrelatedCharge
from services.payments.unrelated_charges.schemas import UnrelatedChargeView

COLUMNS = ("received_at", "reference", "paid", "channel", "domain")


class ListedCharge(UnrelatedChargeView):
    @property
    def paid(self) -> str:
        """The amount as people read it."""
        return format_money(self.amount, self.currency)


def unrelated_charges(*, limit: int, as_json: bool) -> None:
    """Print the charges whose references are certainly not ours, newest first."""

    async def work(context: Context) -> list[ListedCharge]:
        query = select(UnrelatedCharge).order_by(UnrelatedCharge.id.desc()).limit(limit)
        async with sessions() as session:
            return [ListedCharge.model_validate(row) for row in (await session.execute(query)).scalars()]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="There are no unrelated charges.")
