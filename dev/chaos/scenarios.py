"""The scenarios of the chaos run: what one buyer does. The invariants check the results afterwards."""

import asyncio
from collections.abc import Awaitable, Callable

from dev.chaos.buyer import Buyer

RESERVATION_SECONDS = 15
EXTENDED_RESERVATION_SECONDS = 20
"""How long an order with a started payment stays reserved. If the checkout does not expire, it extends the reservation to its maximum."""

OTHER_CURRENCY = "GHS"


async def pay(buyer: Buyer) -> None:
    await buyer.pay(await buyer.order_and_start_payment())


async def webhook_repeated(buyer: Buyer) -> None:
    await buyer.pay(await buyer.order_and_start_payment(), deliveries=3)


async def webhook_delayed(buyer: Buyer) -> None:
    await buyer.pay(await buyer.order_and_start_payment(), delay_ms=buyer.rng.randrange(1_000, 6_000))


async def webhook_lost(buyer: Buyer) -> None:
    """No webhook is sent, so the sweeper must verify the payment."""
    await buyer.pay(await buyer.order_and_start_payment(), deliveries=0)


async def webhook_lost_then_verify(buyer: Buyer) -> None:
    payment = await buyer.order_and_start_payment()
    await buyer.pay(payment, deliveries=0)
    await buyer.verify(payment)


async def all_sources_at_once(buyer: Buyer) -> None:
    """Two webhooks, the payer's return and two verifications at the same time."""
    payment = await buyer.order_and_start_payment()
    await buyer.pay(payment, deliveries=2)
    await asyncio.gather(buyer.verify(payment), buyer.verify(payment), buyer.return_from_checkout(payment))


async def declined_then_paid(buyer: Buyer) -> None:
    order = await buyer.order(buyer.plenty)
    first = await buyer.start_payment(order)
    await buyer.pay(first, outcome="failed")
    if buyer.rng.random() < 0.5:
        await buyer.verify(first)
    await buyer.pay(await buyer.start_payment(order) if buyer.rng.random() < 0.7 else first)


async def pay_twice(buyer: Buyer) -> None:
    order = await buyer.order(buyer.plenty)
    first, second = await asyncio.gather(buyer.start_payment(order), buyer.start_payment(order))
    await asyncio.gather(buyer.pay(first), buyer.pay(second))


async def pay_too_little(buyer: Buyer) -> None:
    payment = await buyer.order_and_start_payment()
    await buyer.pay(payment, amount=payment["amount"] - 1)


async def pay_other_currency(buyer: Buyer) -> None:
    await buyer.pay(await buyer.order_and_start_payment(), currency=OTHER_CURRENCY)


async def refund_all(buyer: Buyer) -> None:
    await buyer.refund(await buyer.buy_and_wait_settled())


async def refund_twice_in_part(buyer: Buyer) -> None:
    payment = await buyer.buy_and_wait_settled()
    amount = payment["amount"] // 5
    await asyncio.gather(buyer.refund(payment, amount=amount), buyer.refund(payment, amount=amount))


async def pay_when_order_expires(buyer: Buyer) -> None:
    payment = await buyer.order_and_start_payment(buyer.scarce)
    await asyncio.sleep(EXTENDED_RESERVATION_SECONDS + buyer.rng.uniform(-2, 2))
    await buyer.pay(payment)


async def cancel_and_pay(buyer: Buyer) -> None:
    order = await buyer.order(buyer.scarce)
    payment = await buyer.start_payment(order)
    await asyncio.gather(buyer.cancel(order), buyer.pay(payment, delay_ms=buyer.rng.choice((0, 50))))


async def pay_with_saved_card(buyer: Buyer) -> None:
    await buyer.buy_and_wait_settled()
    cards = await buyer.saved_cards()
    if cards:
        await buyer.charge(await buyer.order(buyer.plenty), cards[0])


async def pay_as_guest(buyer: Buyer) -> None:
    await buyer.become_guest()
    await buyer.pay(await buyer.order_and_start_payment())


async def transfer_from_slow_bank(buyer: Buyer) -> None:
    """The payer returns and verifies the payment while the transfer is on its way. Some transfers arrive after the order has expired."""
    payment = await buyer.order_and_start_payment(buyer.scarce if buyer.rng.random() < 0.3 else buyer.plenty)
    sent = asyncio.create_task(buyer.transfer(payment, after_ms=buyer.rng.randrange(500, 25_000)))
    await asyncio.gather(sent, buyer.return_from_checkout(payment), buyer.verify(payment))


async def transfer_of_wrong_amount(buyer: Buyer) -> None:
    """Paystack sends the money back. Half of the buyers then transfer the right amount."""
    payment = await buyer.order_and_start_payment()
    await buyer.transfer(payment, amount=payment["amount"] + buyer.rng.choice((-1, 1)))
    if buyer.rng.random() < 0.5:
        await buyer.transfer(payment, after_ms=buyer.rng.choice((0, 1_000)))


async def transfer_to_unusable_account(buyer: Buyer) -> None:
    """The account is expired or closed, so nothing is paid. Half of the buyers then pay in a new attempt."""
    order = await buyer.order(buyer.plenty)
    payment = await buyer.start_payment(order)
    await buyer.transfer(payment, account=buyer.rng.choice(("expired", "closed")), after_ms=500)
    if buyer.rng.random() < 0.5:
        await buyer.pay(await buyer.start_payment(order))


async def transfer_as_guest(buyer: Buyer) -> None:
    await buyer.become_guest()
    await buyer.transfer(await buyer.order_and_start_payment(), after_ms=buyer.rng.randrange(0, 5_000))


Scenario = Callable[[Buyer], Awaitable[None]]
SCENARIOS: tuple[tuple[Scenario, int], ...] = (
    (pay, 14),
    (pay_as_guest, 6),
    (transfer_from_slow_bank, 6),
    (transfer_of_wrong_amount, 3),
    (transfer_to_unusable_account, 2),
    (transfer_as_guest, 2),
    (webhook_repeated, 6),
    (webhook_delayed, 6),
    (webhook_lost, 5),
    (webhook_lost_then_verify, 5),
    (all_sources_at_once, 10),
    (declined_then_paid, 6),
    (pay_twice, 6),
    (pay_too_little, 2),
    (pay_other_currency, 2),
    (refund_all, 5),
    (refund_twice_in_part, 4),
    (pay_when_order_expires, 5),
    (cancel_and_pay, 3),
    (pay_with_saved_card, 2),
)
"""Each scenario with its share of the buyers, in percent."""
