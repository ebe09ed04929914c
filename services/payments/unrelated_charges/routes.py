"""The route of unrelated charges. It requires the scope payments:read."""

from sqlalchemy import select

from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses
from services.payments.auth import PaymentsReader
from services.payments.db import Reading
from services.payments.unrelated_charges.models import UnrelatedCharge
from services.payments.unrelated_charges.schemas import UnrelatedChargePage, UnrelatedChargeView

router = Router(prefix="/payments/unrelated-charges", tags=["unrelated charges"])


@router.get("", summary="List unrelated charges", responses=problem_responses(InvalidCursor))
async def list_unrelated_charges(
    _: PaymentsReader, session: Reading, limit: Limit = 20, cursor: CursorParam = None
) -> UnrelatedChargePage:
    """Return the successful charges with references that are certainly not ours, newest first. Requires the scope `payments:read`.

    Another application on the same Paystack account uses these references, or the money was charged on Paystack's dashboard. Charges in
    this list need no operator. With PAYMENTS_HOLD_UNRELATED_CHARGES, further charges are recorded as held payments instead.
    """
    query = select(UnrelatedCharge).order_by(UnrelatedCharge.id.desc()).limit(limit + 1)
    if cursor is not None:
        (last_id,) = decode_cursor(cursor, "unrelated charges", int)
        query = query.where(UnrelatedCharge.id < last_id)
    rows = (await session.execute(query)).scalars().all()
    page, next_cursor = split_page(rows, limit, lambda last: encode_cursor("unrelated charges", last.id))
    return UnrelatedChargePage(items=[UnrelatedChargeView.model_validate(row) for row in page], next_cursor=next_cursor)
