"""Count the status changes of refunds, whatever causes them: Paystack, an operator, a check before sending, a lost dispute."""

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.after_commit import after_commit
from services.payments.statuses import RefundStatus

REFUSED = "refused"
refunds_total = Counter(
    "refunds_total", "Status changes of refunds, by new status; refused: Paystack refused the refund", ["status"]
)


def count_status(session: AsyncSession, status: RefundStatus) -> None:
    """Count that a refund got this status, once the change is committed."""
    after_commit(session, refunds_total.labels(status).inc)


def count_refusal(session: AsyncSession) -> None:
    """Count that Paystack refused a refund, once that is recorded. It is sent again later, or it fails too."""
    after_commit(session, refunds_total.labels(REFUSED).inc)
