"""Programs that act for their own customers: a merchant's server orders and pays for people who have no account in this shop."""

from typing import Annotated, Self

from fastapi import Path
from pydantic import ConfigDict, Field, model_validator

from contracts.tokens import Scope
from kit.auth import Caller
from kit.errors import NotAllowed
from kit.fields import EmailAddress, Line, PhoneNumber, Word
from kit.schemas import RequestModel, ResponseModel, example

EXAMPLE = {"email": "chidi@example.com", "name": "Chidi Eze", "phone": "+2348012345678", "external_id": "c-1017"}


class ProgramCustomer(RequestModel):
    """The customer for whom a program orders or pays."""

    model_config = example(EXAMPLE)

    email: EmailAddress = Field(description="E-mail address of the customer. Paystack sends the receipt to it")
    name: Line | None = Field(default=None, description="Name of the customer")
    phone: PhoneNumber | None = Field(default=None, description="Telephone number of the customer")
    external_id: Word | None = Field(
        default=None,
        description="The program's own id of the customer: lists can be filtered by it. Limits count the orders with the same id, or "
        "without an id those with the same e-mail address",
    )


class ProgramCustomerView(ResponseModel):
    """The customer for whom a program paid. All fields are null after they were erased."""

    model_config = example(EXAMPLE)

    email: str | None = Field(description="E-mail address of the customer")
    name: str | None = Field(description="Name of the customer, or null")
    phone: str | None = Field(description="Telephone number of the customer, or null")
    external_id: str | None = Field(description="The program's own id of the customer, or null")


class EraseCustomer(RequestModel):
    """The customer to erase: an e-mail address, an id, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"external_id": EXAMPLE["external_id"], "email": EXAMPLE["email"]}],
            "anyOf": [{"required": ["email"]}, {"required": ["external_id"]}],
        }
    )

    email: EmailAddress | None = Field(
        default=None,
        description="Erase the customer with this e-mail address. Upper and lower case do not matter",
    )
    external_id: Word | None = Field(default=None, description="Erase the customer with this id")

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if self.email is None and self.external_id is None:
            raise ValueError("email or external_id is required")
        return self


ProgramId = Annotated[Word, Path(description="The `client_id` of the program")]


def check_may_act_for(caller: Caller, customer: ProgramCustomer | None, scope: Scope) -> None:
    """Raise NotAllowed if the request names a customer, but the caller's token lacks the scope of programs that act for customers."""
    if customer is not None and scope not in caller.scopes:
        raise NotAllowed(
            f"Only a program whose access token has the scope {scope} can send `customer`. Leave it out to act for yourself.",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
        )


def check_may_erase(caller: Caller, program: str, scope: Scope) -> None:
    """Raise NotAllowed, unless the caller is this program and has the scope to act for its customers, or manages orders."""
    if "orders:manage" not in caller.scopes and not (caller.id == program and scope in caller.scopes):
        raise NotAllowed("You can erase only customers of your own program. Staff need the scope orders:manage.")
