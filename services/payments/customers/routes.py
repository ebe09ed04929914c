"""The route of the customers of programs."""

from typing import Annotated

from fastapi import Depends
from pydantic import Field

from kit.audit.actor import Actor
from kit.audit.requests import acting
from kit.auth import Caller, require_scope
from kit.http.routing import Router
from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, KeyHeader
from kit.problem_responses import problem_responses
from kit.program_customers import EraseCustomer, ProgramId, check_may_erase
from kit.schemas import ResponseModel, example
from services.payments.customers.erasure import erase_customer
from services.payments.db import sessions
from services.payments.models import IdempotencyKey

router = Router(prefix="/payments/programs", tags=["payments"])

_may_erase = require_scope("payments:write_for", "orders:manage")
Eraser = Annotated[Caller, Depends(_may_erase)]
ErasingActor = Annotated[Actor, Depends(acting(_may_erase))]


class ErasedPayments(ResponseModel):
    model_config = example({"payments": 3})

    payments: int = Field(description="How many payments had data of the customer")


@router.post(
    "/{program_id}/customers/erase",
    summary="Erase a customer of a program from its payments",
    responses=problem_responses(IdempotencyKeyInUse, IdempotencyKeyReused),
)
async def erase_customer_of_payments(
    program_id: ProgramId, request: EraseCustomer, caller: Eraser, actor: ErasingActor, key: KeyHeader = None
) -> ErasedPayments:
    """Erase e-mail address, name, telephone number, external id and metadata from the payments that the program has started for this
    customer, and the fields of dispute evidence that name the customer. The payments stay, and Paystack keeps its own records.

    A program with the scope `payments:write_for` erases its own customers; staff with the scope `orders:manage` erase those of any program.
    `POST /catalog/programs/{program_id}/customers/erase` does the same for orders. Repeating it changes nothing.
    """
    check_may_erase(caller, program_id, "payments:write_for")
    idempotent = IdempotentRequest.of(actor.id, f"erase_customer_of_payments {program_id}", key, request)
    async with sessions.begin() as session:

        async def erase() -> ErasedPayments:
            return ErasedPayments(payments=await erase_customer(session, program_id, request, actor))

        return await keys.respond_once(session, IdempotencyKey, idempotent, ErasedPayments, erase, status=200)
