"""Erase what identifies a customer of a program from its payments. Amounts, times, references and the program stay."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, Text, cast, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.program_customers import EraseCustomer
from services.payments.customers.personal_data import ERASED_PAYMENT, PERSONAL_EVIDENCE
from services.payments.models import AuditLogEntry, Dispute, IdempotencyKey, Payment

BATCH = 1000
NO_SYNC: dict[str, Any] = {"synchronize_session": False}


async def erase_customer(session: AsyncSession, program: str, request: EraseCustomer, actor: Actor) -> int:
    """Erase a customer of this program, and return the number of payments that had something to erase.

    E-mail address, name, telephone number, external id, metadata and the evidence about the person are erased, and so are the stored
    responses to idempotency keys. Repeating it changes nothing.
    """
    same = []
    if request.external_id is not None:
        same.append(Payment.customer_external_id == request.external_id)
    if request.email is not None:
        same.append(func.lower(Payment.email) == func.lower(request.email))
    # Locked in the order of the ids, as settlement does, so that the two do not deadlock.
    found = select(Payment.id, Payment.reference).where(Payment.started_by_program, Payment.customer_id == program)
    found = found.where(or_(*same)).order_by(Payment.id).limit(BATCH).with_for_update()
    erased = 0
    while rows := (await session.execute(found)).all():
        await _erase(session, program, [row.id for row in rows], [row.reference for row in rows])
        erased += len(rows)
    if erased:
        await audit.record(session, AuditLogEntry, actor, "customer.erased", program, after={"payments": erased})
    return erased


async def _erase(session: AsyncSession, program: str, ids: Sequence[int], references: Sequence[str]) -> None:
    await session.execute(
        update(Payment).where(Payment.id.in_(ids)).values(ERASED_PAYMENT).execution_options(**NO_SYNC)
    )
    await session.execute(
        update(Dispute)
        .where(Dispute.payment_id.in_(ids), Dispute.evidence.is_not(None))
        .values(evidence=Dispute.evidence.op("-")(cast(PERSONAL_EVIDENCE, ARRAY(Text))))
        .execution_options(**NO_SYNC)
    )
    reference = func.jsonb_extract_path_text(IdempotencyKey.body, "reference")
    await session.execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.caller == program, IdempotencyKey.status.is_not(None), reference.in_(references))
        .execution_options(**NO_SYNC)
    )
