"""What comes in and goes out over HTTP."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from kit.fields import Amount, Currency, Line, Paragraph, Slug

UUID_FORM = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ID = "7d1f6f0e-4a51-4a53-9a3f-0d8b3e6c2b11"


def _lower(tag: str) -> str:
    return tag.lower()


def _unlike_an_id(slug: str) -> str:
    # Products are found by id or slug under one path.
    if UUID_FORM.fullmatch(slug):
        raise ValueError("has the form of an id")
    return slug


OwnSlug = Annotated[Slug, AfterValidator(_unlike_an_id)]
Tag = Annotated[Line, StringConstraints(max_length=50), AfterValidator(_lower)]
Stock = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Quantity = Annotated[int, Field(strict=True, ge=1, le=1000)]
Outcome = Literal["awaited", "delivered", "undeliverable", "refunded"]
OrderStatus = Literal["pending", "paid", "delivered", "cancelled", "expired", "refunded"]
STOCK = "How many can still be ordered; null: unlimited"


class Request(BaseModel):
    """A body. A field that it does not know is an error: a misspelt `stock` must not mean unlimited."""

    model_config = ConfigDict(extra="forbid")


class NewCategory(Request):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Head phones", "slug": "headphones"}]})

    name: Line
    slug: OwnSlug | None = Field(default=None, description="Made from the name where it is absent")


class CategoryOut(BaseModel):
    model_config = ConfigDict(
        from_attributes=True, json_schema_extra={"examples": [{"id": ID, "slug": "headphones", "name": "Head phones"}]}
    )

    id: UUID
    slug: str
    name: str


class NewProduct(Request):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Wireless headphones",
                    "description": "Thirty hours between two charges.",
                    "price": 4_500_000,
                    "currency": "NGN",
                    "stock": 20,
                    "tags": ["audio", "wireless"],
                }
            ]
        }
    )

    name: Line
    slug: OwnSlug | None = Field(default=None, description="Made from the name where it is absent")
    description: Paragraph | None = None
    price: Amount
    currency: Currency
    stock: Stock | None = Field(default=None, description=STOCK)
    category_id: UUID | None = None
    tags: list[Tag] | None = Field(default=None, max_length=20)


class ProductChange(Request):
    """What is absent stays. Orders keep the price and the name that they were placed with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"price": 4_200_000, "stock": 35}]})

    name: Line | None = None
    description: Paragraph | None = None
    price: Amount | None = None
    stock: Stock | None = Field(default=None, description=STOCK)
    category_id: UUID | None = None
    tags: list[Tag] | None = Field(default=None, max_length=20)

    @field_validator("name", "description", "price", "tags")
    @classmethod
    def _is_something(cls, value: object) -> object:
        if value is None:
            raise ValueError("cannot be null; leave it out to keep it")
        return value


class ProductOut(BaseModel):
    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": ID,
                    "slug": "wireless-headphones",
                    "name": "Wireless headphones",
                    "description": "Thirty hours between two charges.",
                    "price": 4_500_000,
                    "currency": "NGN",
                    "stock": 20,
                    "category_id": None,
                    "tags": ["audio", "wireless"],
                    "created_at": "2026-03-01T09:30:00Z",
                    "updated_at": "2026-03-01T09:30:00Z",
                }
            ]
        },
    )

    id: UUID
    slug: str
    name: str
    description: str
    price: int = Field(description="Subunits of the currency (kobo, pesewa, cent)")
    currency: str
    stock: int | None = Field(description=STOCK)
    category_id: UUID | None
    tags: list[str]
    created_at: datetime
    updated_at: datetime


class OrderLine(Request):
    product_id: UUID
    quantity: Quantity


class NewOrder(Request):
    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [{"product_id": ID, "quantity": 2}]}]})

    items: list[OrderLine] = Field(
        min_length=1, max_length=50, description="Lines of one product are added up; all products have one currency"
    )


class ItemOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    product_id: UUID
    name: str
    slug: str
    quantity: int
    unit_price: int = Field(description="The price when the order was placed, in subunits")
    amount: int


ORDER: dict[str, Any] = {
    "id": "0b9f7f3e-3c55-4f4e-8a8f-1f3a6f0e4a51",
    "customer_id": "5b0a1b0e-6a0f-4f39-9f0e-2f6f7f3e3c55",
    "status": "pending",
    "amount": 9_000_000,
    "currency": "NGN",
    "created_at": "2026-03-01T09:30:00Z",
    "expires_at": "2026-03-01T09:45:00Z",
    "payment_reference": None,
    "delivered_at": None,
    "items": [
        {
            "product_id": ID,
            "name": "Wireless headphones",
            "slug": "wireless-headphones",
            "quantity": 2,
            "unit_price": 4_500_000,
            "amount": 9_000_000,
        }
    ],
    "payments": [],
}


class PaymentOfOrder(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    reference: str
    outcome: Outcome = Field(
        description="delivered; undeliverable (it came too late or twice, and is given back); refunded; awaited (given back already)"
    )
    refunded_amount: int = Field(description="Subunits that went back so far")


class OrderOut(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [ORDER]})

    id: UUID
    customer_id: str
    status: OrderStatus
    amount: int = Field(description="What is to be paid, in subunits of the currency")
    currency: str
    created_at: datetime
    expires_at: datetime = Field(description="Until when it keeps what it reserved; a later payment takes what is left")
    payment_reference: str | None = Field(description="The payment that settled it")
    delivered_at: datetime | None
    items: list[ItemOut]
    payments: list[PaymentOfOrder] = Field(default=[], description="The payments that came for it, oldest first")


class Categories(BaseModel):
    items: list[CategoryOut]
    next_cursor: str | None = None


class Products(BaseModel):
    items: list[ProductOut]
    next_cursor: str | None = None


class Orders(BaseModel):
    items: list[OrderOut]
    next_cursor: str | None = None
