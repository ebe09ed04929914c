"""The customer of an order: an account (also a guest's), or the customer of a program."""

from dataclasses import dataclass

from kit.auth import Caller
from kit.program_customers import ProgramCustomer, check_may_act_for
from services.catalog.orders.errors import CustomerRequired


@dataclass(frozen=True, slots=True)
class OrderCustomer:
    """The customer of an order, as the order stores it.

    `id` is the id of the account or, if `by_program`, that of the program; the other fields are then those of the program's customer.
    `limit_address` is the limit address of a guest, otherwise None.
    """

    id: str
    email: str | None
    name: str | None
    phone: str | None = None
    external_id: str | None = None
    by_program: bool = False
    limit_address: str | None = None


def customer_of(caller: Caller, named: ProgramCustomer | None, limit_address: str | None) -> OrderCustomer:
    """Return the customer of an order. `named`: the customer of a program, whom the request names.

    Raises NotAllowed, and CustomerRequired for a program that does not name its customer.
    """
    check_may_act_for(caller, named, "orders:write_for")
    if named is not None:
        return OrderCustomer(caller.id, named.email, named.name, named.phone, named.external_id, by_program=True)
    if "orders:write" not in caller.scopes:
        raise CustomerRequired
    return OrderCustomer(caller.id, caller.email, caller.name, limit_address=limit_address)
