"""Settlement against a model of a few lines: whatever charges arrive, in whatever batches, both end the same."""

from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from services.payments.db import sessions
from services.payments.models import OutboxRow, Payment
from services.payments.settlement.settle import settle
from tests.factories.payments import create_payment
from tests.fixtures.payments_charges import CHARGES
from tests.fixtures.payments_rows import find_payment, outbox_events

HELD = {"short": "amount_differs", "foreign": "currency_differs", "live": "mode_differs", "reversed": "reversed"}


@dataclass
class Model:
    """A payment as it should be, with at most one event for each batch that changed it."""

    status: str = "pending"
    reason: str | None = None
    events: list[str] = field(default_factory=list)

    def settle(self, batch: list[str]) -> None:
        event = None
        for name in batch:
            if self.status not in {"pending", "failed", "abandoned"}:
                continue
            if name.startswith("paid"):
                self.status, event = "succeeded", "payment.succeeded"
            elif name in HELD:
                self.status, self.reason = "held", HELD[name]
                event = event if name == "reversed" else "payment.held"
            elif name == "failed" and self.status == "pending":
                self.status, event = "failed", "payment.failed"
        if event is not None:
            self.events.append(event)


BATCHES = st.lists(
    st.one_of(
        st.just("abandon"),
        st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from(list(CHARGES))), min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=6,
)


@given(BATCHES)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_settlement_whatever_charges_arrive_ends_as_the_model_says(
    payments_database: None, steps: list[str | list[tuple[int, str]]]
) -> None:
    async with sessions.begin() as session:
        await session.execute(delete(OutboxRow))
    references = [(await create_payment()).reference for _ in range(3)]
    models = [Model() for _ in references]
    for step in steps:
        async with sessions.begin() as session:
            if isinstance(step, str):
                still = Payment.reference.in_(references), Payment.status == "pending"
                await session.execute(update(Payment).where(*still).values(status="abandoned"))
                for model in models:
                    model.status = "abandoned" if model.status == "pending" else model.status
                continue
            charges = [replace(CHARGES[name], reference=references[which]) for which, name in step]
            await settle(session, charges)
        for which, model in enumerate(models):
            model.settle([name for about, name in step if about == which])
    events = await outbox_events()
    for reference, model in zip(references, models, strict=True):
        row = await find_payment(reference)
        assert (row.status, row.held_reason) == (model.status, model.reason)
        about = [event.type for event in events if event.data.reference == reference]
        assert about == model.events
