"""Requests and responses of payments."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from contracts.reasons import HeldReason
from kit.fields import METADATA_RULE, EmailAddress, Metadata, Pattern, PhoneNumber
from kit.program_customers import ProgramCustomer, ProgramCustomerView
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.payments.models import UNPAID
from services.payments.paystack.channels import Channel
from services.payments.paystack.custom_filters import CustomFilters, check_different
from services.payments.paystack.progress import WaitingFor, waiting_for
from services.payments.settings import settings
from services.payments.statuses import PaymentStatus


def _check_return_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError("must be an absolute http or https URL")
    if not settings.allows_return_to(url):
        raise ValueError("must have an origin that this shop allows (PAYMENTS_CALLBACK_ORIGINS)")
    return url


ReturnUrl = Annotated[
    str,
    Pattern(r"^[\x21-\x7e]{1,1900}$", "must be a URL of at most 1,900 ASCII characters without spaces"),
    AfterValidator(_check_return_url),
]
"""An http or https URL whose origin PAYMENTS_CALLBACK_ORIGINS allows. With our parameters it is still shorter than 2,048 characters."""


PAYMENT_METADATA = (
    "Texts of your own, returned with the payment and its events, and stored at Paystack. "
    "If it is missing, the `metadata` of the order is used. "
    f"{METADATA_RULE}"
)


class StartPayment(RequestModel):
    model_config = example(
        {
            "order_id": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55",
            "callback_url": "https://shop.example/thanks",
            "cancel_url": "https://shop.example/cart",
            "phone": "+2348012345678",
        }
    )

    order_id: UUID = Field(description="Id of the order to pay for")
    callback_url: ReturnUrl | None = Field(
        default=None,
        description="URL to which the payer's browser is redirected after the payment, with the parameters `trxref` and `reference`. "
        "If it is missing, this service shows its return page",
    )
    cancel_url: ReturnUrl | None = Field(
        default=None,
        description="URL to which the payer's browser is redirected if the payer cancels the payment, with the parameter `reference`",
    )
    customer: ProgramCustomer | None = Field(
        default=None,
        description="For programs with the scope `payments:write_for`: for whom the program pays. By default the customer of its order",
    )
    phone: PhoneNumber | None = Field(
        default=None, description="Phone number of the payer, shown with the transaction on Paystack's dashboard"
    )
    email: EmailAddress | None = Field(
        default=None,
        description="E-mail address of a guest, to which Paystack sends the receipt. Ignored if the access token has an address",
    )
    channels: (
        Annotated[
            list[Channel],
            Field(min_length=1, max_length=len(Channel), json_schema_extra={"uniqueItems": True}),
            AfterValidator(check_different),
        ]
        | None
    ) = Field(
        default=None,
        description="The channels that Paystack's page offers to the payer; without it, all channels enabled for the account. "
        "Each must exist for the currency of the order",
    )
    custom_filters: CustomFilters | None = Field(
        default=None, description="Limits the banks, card brands and providers that the payer can use in the channels"
    )
    metadata: Metadata | None = Field(default=None, description=PAYMENT_METADATA)


class LastRejectedTransfer(ResponseModel):
    """The last bank transfer for a payment that Paystack rejected."""

    amount: int | None = Field(description="Amount of the transfer, in subunits; null if Paystack did not report it")
    reason: str | None = Field(description="Paystack's code for why it rejected the transfer, such as INCORRECT_AMOUNT")
    message: str | None = Field(description="The reason in Paystack's words")
    at: datetime = Field(description="Time at which Paystack's webhook event was received")


class HeldDecision(StrEnum):
    """What an operator can decide about a held payment."""

    ACCEPT = "accept"
    """Deliver the order, and keep the money: POST /payments/{reference}/accept."""

    REFUND_DIFFERENCE = "refund_difference"
    """Deliver the order, and refund what was paid too much: the same with `refund_difference`."""

    BIND = "bind"
    """Bind the payment to an order that costs exactly `received`, and deliver that order: POST /payments/{reference}/bind."""

    REFUND_ALL = "refund_all"
    """Deliver nothing, and refund everything: POST /payments/{reference}/refunds with `all`, and with `held` as `expected_status`."""


class HeldReview(ResponseModel):
    """What an operator needs for a decision about a held payment."""

    expected: int | None = Field(
        description="Amount of the order, in subunits of `currency`; null if the payment has no order, because its reference was unknown"
    )
    received: int = Field(
        description="Amount that was received and is not refunded, in subunits of `received_currency`. Unfinished refunds are subtracted"
    )
    received_currency: str = Field(description="Currency in which the payer paid, ISO 4217 code")
    difference: int | None = Field(
        description="`received` minus `expected`: negative if the payer paid too little; null if there is no order or the currencies differ"
    )
    decisions: list[HeldDecision] = Field(
        description="The decisions that are possible now. `accept`: POST /payments/{reference}/accept; `refund_difference`: the same with "
        '`"refund_difference": true`; `bind`: POST /payments/{reference}/bind; `refund_all`: POST /payments/{reference}/refunds with '
        '`"all": true` and `"expected_status": "held"`'
    )


class PaymentView(ResponseModel):
    model_config = ConfigDict(validate_by_name=True) | example(
        {
            "reference": "pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
            "order_id": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55",
            "status": "pending",
            "amount": 1500000,
            "currency": "NGN",
            "metadata": {"campaign": "november"},
            "customer": None,
            "authorization_url": "https://checkout.paystack.com/k3x9d0v7q2m5b8n",
            "access_code": "k3x9d0v7q2m5b8n",
            "payable_until": "2026-11-23T10:00:00Z",
            "paid_amount": None,
            "paid_currency": None,
            "refunded_amount": 0,
            "refunding_amount": 0,
            "fees": None,
            "domain": None,
            "channel": None,
            "gateway_response": None,
            "paystack_status": None,
            "last_rejected_transfer": None,
            "held_reason": None,
            "review": None,
            "created_at": "2026-11-23T09:30:00Z",
            "paid_at": None,
        }
    )

    reference: str = Field(description="Unique reference of the payment, here and at Paystack")
    order_id: UUID | None = Field(
        description="Id of the order; null if the reference of the payment was unknown, until an operator binds the payment to an order"
    )
    status: PaymentStatus = Field(
        description="`abandoned`: not initialized at Paystack, or not paid in time; `held`: paid, waits for manual review"
    )
    amount: int = Field(description="Amount of the order, in subunits; 0 without an order")
    currency: str = Field(
        description="Currency of the order, ISO 4217 code; without an order, that in which the payer paid"
    )
    metadata: dict[str, str] = Field(
        default={},
        validation_alias="client_metadata",
        description="`metadata` of the request that started the payment, otherwise that of the order",
    )
    customer: ProgramCustomerView | None = Field(
        default=None,
        description="The customer for whom a program has started the payment; null if an account started it",
    )
    authorization_url: str | None = Field(description="Page at which the payer completes the payment")
    access_code: str | None = Field(
        description="Code with which Paystack's JavaScript library opens the page at `authorization_url`"
    )
    payable_until: datetime | None = Field(
        default=None,
        description="End of the checkout: the payer can pay until then; null if it has no end that is known",
    )
    paid_amount: int | None = Field(
        description="Amount that the payer paid, in subunits of `paid_currency`; null while unpaid"
    )
    paid_currency: str | None = Field(
        default=None,
        description="Currency in which the payer paid, as Paystack reports it. It differs from `currency` if the "
        "payment is held for that reason, or was accepted; null while unpaid",
    )
    refunded_amount: int = Field(description="Amount refunded so far, in subunits of `paid_currency`")
    refunding_amount: int = Field(
        default=0,
        description="Amount of the refunds that are requested and not finished, in subunits of `paid_currency`",
    )
    fees: int | None = Field(description="Paystack's fee, in subunits of `paid_currency`; null while unknown")
    domain: str | None = Field(description="Paystack's mode in which the payment was made: test or live")
    channel: str | None = Field(description="How the payer paid, as Paystack names it, such as card or bank")
    gateway_response: str | None = Field(description="Message of the bank or of Paystack about the payment")
    paystack_status: str | None = Field(
        default=None,
        description="Paystack's status of the transaction when this service last stored it: after a verification, or when a webhook event "
        "or the charge of a saved card changed the payment. `abandoned` beside the status `pending`: the payer has not paid so far, or has "
        "cancelled, and can still pay at `authorization_url`; null: none is stored yet",
    )
    last_rejected_transfer: LastRejectedTransfer | None = Field(
        default=None,
        description="The last bank transfer that Paystack rejected and returns to the payer, because its amount is wrong, for example. "
        "The payer can transfer again. null: none was rejected",
    )
    held_reason: HeldReason | None = Field(description="Why the payment needs a manual review")
    review: HeldReview | None = Field(
        default=None,
        description="The amounts and the possible decisions of a held payment, for callers with the scope `payments:read`; otherwise null",
    )
    created_at: datetime = Field(description="Time at which the payment was started")
    paid_at: datetime | None = Field(description="Time of the payment at Paystack; null while unpaid")
    waiting_for: WaitingFor | None = Field(
        default=None,
        description="What a payment that is not paid waits for. `bank_transfer`: the payer has the account number, and the transfer has "
        "not arrived; it can arrive until `payable_until`. `confirmation`: the payer has begun to pay in another way, and Paystack has "
        "not confirmed it. In both cases tell the payer not to pay again. `payer`: the payer has not paid so far, and can still pay. "
        "null: it waits for nothing, or Paystack has not been asked yet",
    )

    @model_validator(mode="after")
    def _find_what_it_waits_for(self) -> Self:
        self.waiting_for = waiting_for(self.paystack_status, self.channel) if self.status in UNPAID else None
        return self


class PaymentPage(PageResponse[PaymentView]):
    """One page of payments."""
