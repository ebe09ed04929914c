"""The claims of access tokens (RFC 9068): auth signs them, every other service verifies them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

TOKEN_TYPE: Literal["at+jwt"] = "at+jwt"
"""The `typ` of an access token (RFC 9068 section 2.1). Other JWTs of auth, which have another `typ`, are refused."""

PAYMENTS_CLIENT = "payments"
"""The client application with which payments reads the deliveries of catalog. auth creates it from its configuration."""

MAX_LIFETIME_SECONDS = 3600
"""The longest lifetime of an access token that auth can be configured to issue."""

Scope = Literal[
    "orders:write",
    "orders:read",
    "payments:write",
    "payments:read",
    "payments:refund",
    "payments:decide",
    "catalog:write",
    "stock:write",
    "orders:manage",
    "audit:read",
    "accounts:manage",
    "orders:write_for",
    "payments:write_for",
]


class Holder(StrEnum):
    PERSON = "person"
    """An account: its role has the scope."""

    PROGRAM = "program"
    """A client application with a secret, which acts for itself (client_credentials)."""


_BOTH = frozenset(Holder)

HOLDERS: Mapping[Scope, frozenset[Holder]] = {
    "orders:write": frozenset({Holder.PERSON}),  # an order and a payment belong to an account
    "payments:write": frozenset({Holder.PERSON}),
    "orders:read": _BOTH,
    "payments:read": _BOTH,
    "payments:refund": _BOTH,
    "payments:decide": _BOTH,
    "catalog:write": _BOTH,
    "stock:write": _BOTH,
    "orders:manage": _BOTH,
    "audit:read": _BOTH,
    "accounts:manage": _BOTH,
    "orders:write_for": frozenset({Holder.PROGRAM}),  # for the customers of the program, who have no account
    "payments:write_for": frozenset({Holder.PROGRAM}),
}
"""Who can be granted each scope."""

PERSON_SCOPES: frozenset[Scope] = frozenset(scope for scope, holders in HOLDERS.items() if Holder.PERSON in holders)
PROGRAM_SCOPES: frozenset[Scope] = frozenset(scope for scope, holders in HOLDERS.items() if Holder.PROGRAM in holders)

CUSTOMER_SCOPES: frozenset[Scope] = frozenset({"orders:write", "payments:write"})
"""The scopes of the role `customer`: place orders and pay for them."""

ADMIN_SCOPES: frozenset[Scope] = CUSTOMER_SCOPES | {
    "orders:read",
    "payments:read",
    "payments:refund",
    "payments:decide",
    "catalog:write",
    "stock:write",
    "orders:manage",
    "audit:read",
    "accounts:manage",
}
"""The scopes of the role `admin`: also read all orders and payments, refund, decide on held payments, change the catalog and the stock,
manage orders, read the audit logs, and find, change and ban accounts."""


class AccessClaims(BaseModel):
    """The claims of an access token (RFC 9068 section 2.2). Times are seconds since the epoch, UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: str
    sub: str = Field(min_length=1, max_length=64, description="The account's id; for a program, its client id")
    aud: str | list[str]
    exp: int
    iat: int
    jti: str = Field(min_length=1, max_length=64)
    client_id: str = Field(min_length=1, max_length=64, description="The client application that got the token")
    sid: str | None = Field(default=None, max_length=64, description="The session of the account; absent for a program")
    scope: str = Field(default="", max_length=1000, description="Space-separated (RFC 6749 section 3.3)")
    email: str | None = Field(
        default=None, max_length=320, description="The account's e-mail address; absent for a guest or a program"
    )
    email_verified: bool | None = Field(
        default=None,
        description="Whether the owner has proved that the address is theirs (OpenID Connect Core 5.1); absent without `email`",
    )
    name: str | None = Field(default=None, max_length=200, description="The account's display name, if it has one")

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())
