"""A bank transfer that Paystack rejected: `data` of the webhook event bank.transfer.rejected. It has no reference of the payment."""

from dataclasses import dataclass

from services.payments.paystack.parsing import MAX_ID, Unreadable, parse_integer, parse_text


@dataclass(frozen=True, slots=True)
class PaystackRejectedTransfer:
    """`transaction_id`: Paystack's id of the transaction for which the transfer was made. `amount` in subunits; None if it is not readable.

    `reason`: Paystack's code, such as INCORRECT_AMOUNT; `message`: the same in words.
    """

    transaction_id: int
    amount: int | None
    reason: str | None
    message: str | None


def parse_rejected_transfer(data: object) -> PaystackRejectedTransfer:
    """Parse a rejected transfer. Raises Unreadable without the id of its transaction."""
    transfer = data.get("bank_transfer") if isinstance(data, dict) else None
    if not isinstance(transfer, dict):
        raise Unreadable("bank_transfer is missing")
    transaction_id = parse_integer(transfer.get("transaction_id"), maximum=MAX_ID)
    if transaction_id is None:
        raise Unreadable("bank_transfer.transaction_id is missing")
    return PaystackRejectedTransfer(
        transaction_id,
        amount=parse_integer(transfer.get("amount")),
        reason=parse_text(transfer.get("message_type"), 50),
        message=parse_text(transfer.get("message"), 200),
    )
