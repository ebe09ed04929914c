"""Requests and responses of orders."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from kit.fields import METADATA_RULE, Currency, Line, Metadata
from kit.program_customers import ProgramCustomer
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.catalog.orders.addresses import AddressFields, AddressView
from services.catalog.statuses import FulfilmentStep, OrderStatus, PaymentOutcome, ProductKind

PRODUCT_ID = "7d1f6f0e-4a51-4a53-9a3f-0d8b3e6c2b11"

Quantity = Annotated[int, Field(strict=True, ge=1, le=1000, description="Number of units")]


class RequestedItem(RequestModel):
    product_id: UUID = Field(description="Id of the product")
    variant_id: UUID | None = Field(default=None, description="Id of the variant, required for a product with options")
    quantity: Quantity


MAX_ITEMS = 50
MAX_FULFILMENTS = 20


class PlaceOrder(RequestModel):
    model_config = example({"items": [{"product_id": PRODUCT_ID, "quantity": 2}]})

    items: list[RequestedItem] = Field(
        min_length=1,
        max_length=MAX_ITEMS,
        description="Quantities of the same variant are added up. All products must have the same currency",
    )
    currency: Currency | None = Field(
        default=None,
        description="Currency of the order, if the products have prices in several. Default: that of the products",
    )
    customer: ProgramCustomer | None = Field(
        default=None,
        description="For programs with the scope `orders:write_for`, and required for them: for whom the program orders",
    )
    metadata: Metadata | None = Field(
        default=None,
        description="Texts of your own, returned with the order. A payment that is started without `metadata` gets a copy of them, "
        f"which is published with its events and sent to Paystack. {METADATA_RULE}",
    )
    address: AddressFields | None = Field(
        default=None,
        description="Where to ship the order: required if a product is `shipped`. It is not stored if all products are `digital`",
    )


class CancelOrder(RequestModel):
    model_config = example({"reason": "The supplier cannot deliver it any more. We are sorry."})

    reason: Line | None = Field(
        default=None, description="Why the order is cancelled. Required from staff: the customer sees it"
    )


class OrderItemView(ResponseModel):
    product_id: UUID = Field(description="Id of the product")
    variant_id: UUID = Field(description="Id of the variant; the product's id if the product has no options")
    sku: str | None = Field(description="SKU of the variant when the order was placed, or null")
    options: dict[str, str] = Field(description="Options of the variant, such as the size; empty without options")
    name: str = Field(description="Name of the product when the order was placed")
    slug: str = Field(description="Slug of the product when the order was placed")
    quantity: int = Field(description="Number of units")
    unit_price: int = Field(description="Price of one unit when the order was placed, in subunits")
    amount: int = Field(description="`unit_price` times `quantity`, in subunits")
    kind: ProductKind = Field(
        description="Kind of the product when the order was placed: `digital`, `service` or `shipped`"
    )
    packed: int = Field(description="Number of units that were packed, or already shipped or delivered")
    shipped: int = Field(description="Number of units that were shipped, or already delivered")
    delivered: int = Field(description="Number of units that were delivered")


class FulfilmentItem(ResponseModel):
    variant_id: UUID = Field(description="Id of the variant; the product's id if the product has no options")
    quantity: int = Field(description="Number of units")


class FulfilmentView(ResponseModel):
    model_config = example(
        {
            "id": 17,
            "order_id": "0b9f7f3e-3c55-4f4e-8a8f-1f3a6f0e4a51",
            "step": "ship",
            "items": [{"variant_id": PRODUCT_ID, "quantity": 1}],
            "tracking": "GIG-4711",
            "created_at": "2026-03-02T08:00:00Z",
        }
    )

    id: int = Field(description="Id of the fulfilment")
    order_id: UUID = Field(description="Id of the order")
    step: FulfilmentStep = Field(description="`pack`, `ship` or `deliver`: what was done with the units")
    items: list[FulfilmentItem] = Field(description="The units")
    tracking: str | None = Field(
        description="Number of the parcel at the carrier; null if there is none, and after the address was erased"
    )
    created_at: datetime = Field(description="When staff recorded it")


class FulfilmentPage(PageResponse[FulfilmentView]):
    """One page of the fulfilments of an order."""


class RefundInOtherCurrency(ResponseModel):
    """What was refunded of a payment that an operator accepted in another currency than that of the order."""

    amount: int = Field(description="Amount that was refunded so far, in subunits of this currency")
    currency: str = Field(description="Currency in which the payer paid, normally an ISO 4217 code")


OtherCurrencyRefund = Annotated[
    RefundInOtherCurrency | None,
    Field(
        description="What was refunded in another currency than that of the order, if an operator accepted a payment in it; otherwise "
        "null. It is not part of `refunded_amount`"
    ),
]


class OrderPaymentView(ResponseModel):
    reference: str = Field(description="Reference of the payment")
    outcome: PaymentOutcome = Field(
        description="`paid`: it paid for the order, and staff deliver it; `delivered`: it paid for the order, which was delivered; "
        "`undeliverable`: the order cannot be fulfilled, and the payment is refunded; `refunded`: completely refunded; "
        "`awaited`: a refund or a lost dispute was reported, but not yet that the payment succeeded"
    )
    refunded_amount: int = Field(
        description="How much of the order's amount was refunded so far, in subunits. What was paid too much does not count"
    )
    refunded_in_other_currency: OtherCurrencyRefund = None
    dispute_lost: bool = Field(description="True if a dispute about the payment was lost: the payer gets money back")
    reported_at: datetime = Field(description="When an event first reported the payment to catalog")


class CustomerView(ResponseModel):
    id: str = Field(description="Id of the account that placed the order, or of the program that placed it")
    email: str | None = Field(
        description="E-mail address of the account, or of the program's customer; null for a guest and after it was erased"
    )
    name: str | None = Field(
        description="Name of the account, or of the program's customer; null if there is none and after it was erased"
    )
    phone: str | None = Field(default=None, description="Telephone number of the program's customer; otherwise null")
    external_id: str | None = Field(default=None, description="The program's own id of its customer; otherwise null")


class OrderView(ResponseModel):
    model_config = example(
        {
            "id": "0b9f7f3e-3c55-4f4e-8a8f-1f3a6f0e4a51",
            "number": "7K3M-9QXQ",
            "status_token": "Vb0cYk0bYt3Yw2mEo0xvXn1m4mT2cCz9qSg6m3l5u7A",
            "customer_id": "5b0a1b0e-6a0f-4f39-9f0e-2f6f7f3e3c55",
            "customer": {
                "id": "5b0a1b0e-6a0f-4f39-9f0e-2f6f7f3e3c55",
                "email": "ada@example.com",
                "name": "Ada",
                "phone": None,
                "external_id": None,
            },
            "status": "pending",
            "amount": 9_000_000,
            "currency": "NGN",
            "created_at": "2026-03-01T09:30:00Z",
            "expires_at": "2026-03-01T09:45:00Z",
            "payment_reference": None,
            "refunded_amount": 0,
            "refunded_in_other_currency": None,
            "partially_refunded": False,
            "cancel_reason": None,
            "metadata": {},
            "delivered_at": None,
            "items": [
                {
                    "product_id": PRODUCT_ID,
                    "variant_id": PRODUCT_ID,
                    "sku": None,
                    "options": {},
                    "name": "Wireless headphones",
                    "slug": "wireless-headphones",
                    "quantity": 2,
                    "unit_price": 4_500_000,
                    "amount": 9_000_000,
                    "kind": "digital",
                    "packed": 0,
                    "shipped": 0,
                    "delivered": 0,
                }
            ],
            "address": None,
            "fulfilments": [],
            "payments": [],
        }
    )

    id: UUID = Field(description="Id of the order")
    number: str = Field(
        description="Short number of the order for phone calls. Its last character is a check character"
    )
    status_token: str = Field(
        default="",
        description="Its holder can read the status of the order at GET /catalog/orders/status/{status_token} without logging in",
    )
    customer_id: str = Field(description="Id of the account or program that placed the order")
    customer: CustomerView = Field(
        description="Who ordered: the account, as auth knows it now, or the customer of a program"
    )
    status: OrderStatus = Field(description="`pending` until it is paid, cancelled or expired")
    amount: int = Field(description="Amount to pay, in subunits of the currency")
    currency: str = Field(description="ISO 4217 code")
    created_at: datetime = Field(description="When the order was placed")
    expires_at: datetime = Field(
        description="The stock is reserved until this time, which moves while a payment can be completed. A later payment pays for the "
        "order only if there is enough stock"
    )
    payment_reference: str | None = Field(
        description="Reference of the payment that paid for the order; null if it is not paid"
    )
    refunded_amount: int = Field(default=0, description="Amount of the order that was refunded so far, in subunits")
    refunded_in_other_currency: OtherCurrencyRefund = None
    partially_refunded: bool = Field(default=False, description="True if a part of the amount was refunded")
    cancel_reason: str | None = Field(
        default=None, description="Why the order was cancelled. Given by staff, or by the customer; otherwise null"
    )
    metadata: dict[str, str] = Field(
        default={}, description="`metadata` of the request that placed the order; empty after it was erased"
    )
    delivered_at: datetime | None = Field(description="When all items were delivered; null if they were not")
    items: list[OrderItemView] = Field(description="The products of the order")
    address: AddressView | None = Field(
        default=None, description="Where the order is shipped; null for digital orders, and after it was erased"
    )
    fulfilments: list[FulfilmentView] = Field(
        default=[],
        description=f"What staff did with units of the order, newest first, at most {MAX_FULFILMENTS}. GET …/fulfilments lists all",
    )
    payments: list[OrderPaymentView] = Field(
        default=[], description="Payments that were reported for the order, oldest first; see `outcome` of each"
    )


class OrderPage(PageResponse[OrderView]):
    """One page of orders."""
