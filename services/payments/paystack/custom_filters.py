"""What the payer can use on Paystack's page: `custom_filters` in the metadata of a transaction (Paystack's documentation, "Metadata")."""

from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, StrictBool

from kit.fields import Pattern
from kit.schemas import RequestModel, example

T = TypeVar("T")


class CardBrand(StrEnum):
    """A brand of cards, as Paystack names it."""

    VISA = "visa"
    VERVE = "verve"
    MASTERCARD = "mastercard"
    AMEX = "amex"


class MobileMoneyProvider(StrEnum):
    """A mobile money provider, as Paystack names it."""

    MTN = "mtn"
    ATL = "atl"
    VOD = "vod"


def check_different(values: list[T]) -> list[T]:
    """Return the list. Raises ValueError if it contains a value twice."""
    if len(set(values)) < len(values):
        raise ValueError("must not contain a value twice")
    return values


BankCode = Annotated[str, Pattern(r"^[A-Za-z0-9_-]{1,20}$", "must be 1 to 20 letters, digits, hyphens and underscores")]
BankCodes = Annotated[
    list[BankCode],
    Field(min_length=1, max_length=50, json_schema_extra={"uniqueItems": True}),
    AfterValidator(check_different),
]


class CustomFilters(RequestModel):
    model_config = example({"card_brands": ["visa", "verve"]})

    recurring: StrictBool | None = Field(
        default=None,
        description="`true`, if the card is to be charged again later: Paystack then refuses Verve cards that cannot be charged again, "
        "and has the bank authenticate each payment with Visa or Mastercard",
    )
    banks: BankCodes | None = Field(
        default=None, description="Only cards of banks with these codes, from Paystack's list of banks"
    )
    card_brands: (
        Annotated[
            list[CardBrand],
            Field(min_length=1, max_length=len(CardBrand), json_schema_extra={"uniqueItems": True}),
            AfterValidator(check_different),
        ]
        | None
    ) = Field(default=None, description="Only cards of these brands")
    supported_bank_providers: BankCodes | None = Field(
        default=None, description="In the channel `bank`, only banks with these codes"
    )
    supported_mobile_money_providers: (
        Annotated[
            list[MobileMoneyProvider],
            Field(min_length=1, max_length=len(MobileMoneyProvider), json_schema_extra={"uniqueItems": True}),
            AfterValidator(check_different),
        ]
        | None
    ) = Field(default=None, description="In the channel `mobile_money`, only these providers")
