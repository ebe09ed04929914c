"""Settlement against a model of a few lines: whatever comes, in whatever batches, both end the same."""

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from services.payments.db import sessions
from services.payments.models import OutboxRow, Payment
from services.payments.paystack.charge import Charge
from services.payments.settlement.settle import settle
from tests.payments.conftest import found, outbox, payment

TOLD = {
    "paid": Charge("", "success", 50_000, "NGN", "test"),
    "paid with fees": Charge("", "success", 50_750, "NGN", "test", requested_amount=50_000, fees=750),
    "short": Charge("", "success", 49_999, "NGN", "test"),
    "foreign": Charge("", "success", 50_000, "USD", "test"),
    "live": Charge("", "success", 50_000, "NGN", "live"),
    "failed": Charge("", "failed", 50_000, "NGN", "test"),
    "abandoned": Charge("", "abandoned", 50_000, "NGN", "test"),
    "reversed": Charge("", "reversed", 50_000, "NGN", "test"),
    "ongoing": Charge("", "ongoing", 50_000, "NGN", "test"),
}
HELD = {"short": "amount_differs", "foreign": "currency_differs", "live": "mode_differs", "reversed": "reversed"}


@dataclass
class Model:
    """A payment as it should be: at most one event for each batch that moved it."""

    status: str = "pending"
    reason: str | None = None
    events: list[str] = field(default_factory=list)

    def tell(self, batch: list[str]) -> None:
        event = None
        for told in batch:
            if self.status not in {"pending", "failed", "abandoned"}:
                continue
            if told.startswith("paid"):
                self.status, event = "succeeded", "payment.succeeded"
            elif told in HELD:
                self.status, self.reason = "held", HELD[told]
                event = event if told == "reversed" else "payment.held"
            elif told == "failed" and self.status == "pending":
                self.status, event = "failed", "payment.failed"
        if event is not None:
            self.events.append(event)


BATCHES = st.lists(
    st.one_of(
        st.just("given up"),
        st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from(list(TOLD))), min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=6,
)


@given(BATCHES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_settlement_is_what_the_model_says(steps: list[str | list[tuple[int, str]]]) -> None:
    async with sessions.begin() as session:
        await session.execute(delete(OutboxRow))
    references = [(await payment()).reference for _ in range(3)]
    models = [Model() for _ in references]
    for step in steps:
        async with sessions.begin() as session:
            if isinstance(step, str):
                still = Payment.reference.in_(references), Payment.status == "pending"
                await session.execute(update(Payment).where(*still).values(status="abandoned"))
                for model in models:
                    model.status = "abandoned" if model.status == "pending" else model.status
                continue
            charges = [_about(references[which], TOLD[told]) for which, told in step]
            await settle(session, charges)
        for which, model in enumerate(models):
            model.tell([told for about, told in step if about == which])
    events = await outbox()
    for reference, model in zip(references, models, strict=True):
        row = await found(reference)
        assert (row.status, row.held_reason) == (model.status, model.reason)
        about = [event.type for event in events if event.data.reference == reference]  # type: ignore[attr-defined]
        assert about == model.events


def _about(reference: str, told: Charge) -> Charge:
    return Charge(
        reference, told.status, told.amount, told.currency, told.domain, None, told.requested_amount, told.fees
    )
