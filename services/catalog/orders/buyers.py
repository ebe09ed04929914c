"""Who places an order: an account, a guest, or a program for one of its customers."""

from dataclasses import dataclass

from kit.auth import Caller
from kit.program_customers import ProgramCustomer, check_may_act_for
from services.catalog.orders.errors import CustomerRequired


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who places an order. `id` is the account or, if `by_program`, the program; the other fields are then those of its customer.

    `network` is the network address of a guest, otherwise None.
    """

    id: str
    email: str | None
    name: str | None
    phone: str | None = None
    external_id: str | None = None
    by_program: bool = False
    network: str | None = None


def buyer_of(caller: Caller, customer: ProgramCustomer | None, network: str | None) -> Buyer:
    """Return who places an order. Raises NotAllowed, and CustomerRequired for a program that does not name its customer."""
    check_may_act_for(caller, customer, "orders:write_for")
    if customer is not None:
        return Buyer(caller.id, customer.email, customer.name, customer.phone, customer.external_id, by_program=True)
    if "orders:write" not in caller.scopes:
        raise CustomerRequired
    return Buyer(caller.id, caller.email, caller.name, network=network)
