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
from services.catalog.customers.erasure import erase_customer
from services.catalog.db import DatabaseTransaction
from services.catalog.models import IdempotencyKey

router = Router(prefix="/catalog/programs", tags=["orders"])

_may_erase = require_scope("orders:write_for", "orders:manage")
Eraser = Annotated[Caller, Depends(_may_erase)]
ErasingActor = Annotated[Actor, Depends(acting(_may_erase))]


class ErasedOrders(ResponseModel):
    model_config = example({"orders": 3})

    orders: int = Field(description="How many orders had data of the customer")


@router.post(
    "/{program_id}/customers/erase",
    summary="Erase a customer of a program from its orders",
    responses=problem_responses(IdempotencyKeyInUse, IdempotencyKeyReused),
)
async def erase_customer_of_orders(
    program_id: ProgramId,
    request: EraseCustomer,
    caller: Eraser,
    actor: ErasingActor,
    session: DatabaseTransaction,
    key: KeyHeader = None,
) -> ErasedOrders:
    """Erase e-mail address, name, telephone number, external id, metadata, address and tracking numbers from the orders that the program
    has placed for this customer. The orders stay.

    A program with the scope `orders:write_for` erases its own customers; staff with the scope `orders:manage` erase those of any program.
    `POST /payments/programs/{program_id}/customers/erase` does the same for payments. Repeating it changes nothing.
    """
    check_may_erase(caller, program_id, "orders:write_for")
    idempotent = IdempotentRequest.of(actor.id, f"erase_customer_of_orders {program_id}", key, request)

    async def erase() -> ErasedOrders:
        return ErasedOrders(orders=await erase_customer(session, program_id, request, actor))

    return await keys.respond_once(session, IdempotencyKey, idempotent, ErasedOrders, erase, status=200)
