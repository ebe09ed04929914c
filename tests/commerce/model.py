"""What must be true of a shop when everything has come to rest, whatever happened before."""

from dataclasses import dataclass, field
from typing import Any

from tests.commerce.house import House, Transaction

UNSOLD = {"pending", "cancelled", "expired"}


@dataclass
class Ordered:
    """What the buyer was told, and what happened to it since."""

    amount: int
    quantity: int
    cancelled: bool = False
    lapsed: bool = False


@dataclass
class Model:
    """`pays`: the order that a payment is for. `decided`: payments that a person has accepted or bound.

    Released is what was paid as asked, or decided: the order is owed for it, or the money.
    """

    orders: dict[str, Ordered] = field(default_factory=dict)
    pays: dict[str, str] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)

    def check(
        self, house: House, orders: dict[str, Any], payments: dict[str, Any], refunders: dict[str, set[str]]
    ) -> None:
        for reference, one in house.transactions.items():
            payment = payments[reference]
            assert payment.status in self._statuses(one), (reference, payment)
            if one.status == "success":
                assert (payment.paid_amount, payment.refunded_amount) == (one.paid, one.back), (reference, payment)
                order = orders.get(self.pays.get(reference, ""))
                delivers = order is not None and order.payment_reference == reference and order.status == "delivered"
                # Delivered or wholly given back; never both, never neither.
                assert delivers != (one.back == one.paid), (reference, payment, order)
        for order_id, ordered in self.orders.items():
            order = orders[order_id]
            paid = [r for r, of_ in self.pays.items() if of_ == order_id and self._released(house, r, payments)]
            returned = [r for r in paid if "catalog" in refunders.get(r, set())]
            assert order.amount == ordered.amount
            assert order.status in self._order_statuses(ordered, paid), (order, paid)
            assert order.payment_reference in ([None] if order.status in UNSOLD else paid), (order, paid)
            assert (order.delivered == order.payment_reference) or order.status != "delivered"
            assert order.delivered is None or order.status in {"delivered", "refunded"}
            # The shop gives back by itself only what it does not deliver for.
            assert order.payment_reference not in returned
            assert not returned or ordered.cancelled or ordered.lapsed or len(paid) > 1

    def _released(self, house: House, reference: str, payments: dict[str, Any]) -> bool:
        one = house.transactions.get(reference)  # whoever died first never told Paystack of it
        return (
            one is not None
            and one.status == "success"
            and (payments[reference].held_reason is None or reference in self.decided)
        )

    @staticmethod
    def _statuses(one: Transaction) -> set[str]:
        if one.status != "success":
            # A start whose answer was lost is given up, whatever its payer does short of paying.
            return {"pending", "abandoned"} if one.status == "abandoned" else {"failed", "abandoned"}
        if one.back == one.paid:
            return {"refunded"}
        if one.dispute is not None and one.dispute["status"] != "resolved":
            return {"disputed"}
        return {"partially_refunded"} if one.back else {"succeeded"}

    @staticmethod
    def _order_statuses(ordered: Ordered, paid: list[str]) -> set[str]:
        if ordered.cancelled:
            return {"cancelled"}
        if not paid:
            return {"expired"} if ordered.lapsed else {"pending"}
        return {"delivered", "refunded"} | ({"expired"} if ordered.lapsed else set())
