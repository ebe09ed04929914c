"""Requests and responses of variants."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator
from pydantic.json_schema import SkipJsonSchema

from kit.fields import MAX_AMOUNT, Currency, DocumentedNames, Line, Pattern
from kit.schemas import ListResponse, RequestModel, ResponseModel, example
from services.catalog.statuses import Availability

MAX_OPTIONS = 3
MAX_VARIANTS = 100

Sku = Annotated[str, Pattern(r"^[!-~]{1,64}$", "must be 1 to 64 ASCII characters without spaces")]
OptionName = Annotated[Line, StringConstraints(max_length=50)]
OptionValue = Annotated[Line, StringConstraints(max_length=100)]
Options = Annotated[dict[OptionName, OptionValue], Field(min_length=1, max_length=MAX_OPTIONS), DocumentedNames()]
VariantPrice = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)]
Prices = dict[Currency, VariantPrice]
Stock = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
SKU = "Stock keeping unit: the shop's own number of the variant, unique; null if it has none"
OPTIONS = "A value for each option of the product"
PRICES = "Price of one unit in subunits, by currency. Without one in the product's currency, the variant has the product's price"


class CreateVariant(RequestModel):
    model_config = example({"sku": "SHIRT-M-RED", "options": {"size": "M", "colour": "red"}, "stock": 12})

    sku: Sku | None = Field(default=None, description=SKU)
    options: Options = Field(description=OPTIONS)
    prices: Prices = Field(default={}, description=PRICES)
    stock: Stock | None = Field(default=None, description="Number of units on hand; null means unlimited")


class UpdateVariant(RequestModel):
    """Absent fields do not change. The options of a variant never change, because orders show them."""

    model_config = example({"prices": {"NGN": 4_200_000, "USD": 3_000}})

    sku: Sku | None = Field(default=None, description=SKU)
    prices: Prices | SkipJsonSchema[None] = Field(
        default=None, description=f"{PRICES}. The prices replace the earlier ones"
    )

    @field_validator("prices")
    @classmethod
    def _refuse_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("cannot be null; leave the field out to keep its current value")
        return value


class VariantView(ResponseModel):
    model_config = example(
        {
            "id": "2b1f6f0e-4a51-4a53-9a3f-0d8b3e6c2b11",
            "product_id": "7d1f6f0e-4a51-4a53-9a3f-0d8b3e6c2b11",
            "sku": "SHIRT-M-RED",
            "options": {"size": "M", "colour": "red"},
            "prices": {"NGN": 4_500_000},
            "availability": "in_stock",
        }
    )

    id: UUID = Field(
        description="Id of the variant. The only variant of a product without options has the id of the product"
    )
    product_id: UUID = Field(description="Id of the product")
    sku: str | None = Field(description=SKU)
    options: dict[str, str] = Field(description="The value of each option; empty for a product without options")
    prices: dict[str, int] = Field(
        description="Price of one unit in subunits, by currency. In the product's currency it is the product's price, unless the variant "
        "has its own"
    )
    availability: Availability = Field(description="The same values as the availability of a product")
    stock: int | None = Field(
        default=None,
        description="Number of units that can still be ordered; null means unlimited. Only for callers with the scope `stock:write`",
    )


class VariantList(ListResponse[VariantView]):
    """All variants of a product."""


def availability_of(orderable: int | None, low_stock: int) -> Availability:
    """Return the availability for a number of units that can be ordered; None means unlimited."""
    if orderable is not None and orderable <= 0:
        return Availability.OUT
    return Availability.IN_STOCK if orderable is None or orderable > low_stock else Availability.LOW
