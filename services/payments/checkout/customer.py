"""The customer of a payment: an account (also a guest's), or the customer of a program."""

from dataclasses import dataclass

from kit.auth import Caller
from kit.program_customers import check_may_act_for
from services.payments.catalog_client import Order
from services.payments.errors import PayerUnknown
from services.payments.schemas import StartPayment


@dataclass(frozen=True, slots=True)
class PaymentCustomer:
    """The customer of a payment, as the payment stores it.

    `id` is the id of the account or, if `by_program`, that of the program; the other fields are then those of the program's customer.
    """

    id: str
    email: str
    phone: str | None = None
    name: str | None = None
    external_id: str | None = None
    by_program: bool = False


def check_customer(caller: Caller, request: StartPayment) -> None:
    """Check what can be checked without the order. Raises NotAllowed, and PayerUnknown for a guest without an e-mail address."""
    check_may_act_for(caller, request.customer, "payments:write_for")
    if not _is_started_by_program(caller, request) and not (caller.email or request.email):
        raise PayerUnknown


def customer_of(caller: Caller, request: StartPayment, order: Order) -> PaymentCustomer:
    """Return the customer of the payment. A program that names no customer pays for the customer of its order. Raises PayerUnknown."""
    if not _is_started_by_program(caller, request):
        email = caller.email or request.email
        if email is None:
            raise PayerUnknown
        return PaymentCustomer(caller.id, email, request.phone)
    customer_of_order = order.customer if order.customer is not None and order.customer.id == caller.id else None
    customer = request.customer or customer_of_order
    if customer is None or customer.email is None:
        raise PayerUnknown
    phone = request.phone or customer.phone
    return PaymentCustomer(caller.id, customer.email, phone, customer.name, customer.external_id, by_program=True)


def is_program(caller: Caller) -> bool:
    """Return True for a program, which pays for its customers, and False for an account."""
    return "payments:write" not in caller.scopes


def _is_started_by_program(caller: Caller, request: StartPayment) -> bool:
    return request.customer is not None or is_program(caller)
