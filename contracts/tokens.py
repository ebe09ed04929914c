"""The claims of access tokens (RFC 9068): auth signs them, every other service verifies them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

TOKEN_TYPE: Literal["at+jwt"] = "at+jwt"
"""The `typ` of an access token (RFC 9068 section 2.1). Other JWTs of auth, which have another `typ`, are refused."""

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
    "audit:read",
]

CUSTOMER_SCOPES: frozenset[Scope] = frozenset({"orders:write", "payments:write"})
"""The scopes of every account: place orders and pay for them."""

ADMIN_SCOPES: frozenset[Scope] = CUSTOMER_SCOPES | {
    "orders:read",
    "payments:read",
    "payments:refund",
    "payments:decide",
    "catalog:write",
    "audit:read",
}
"""The scopes of an administrator: also read all orders and payments, refund, decide on held payments, change the catalog, and read the
audit logs."""


class AccessClaims(BaseModel):
    """The claims of an access token (RFC 9068 section 2.2). Times are seconds since the epoch, UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: str
    sub: str = Field(
        min_length=1, max_length=64, description="The account's id; for client_credentials, the client's id"
    )
    aud: str | list[str]
    exp: int
    iat: int
    jti: str = Field(min_length=1, max_length=64)
    client_id: str = Field(min_length=1, max_length=64)
    scope: str = Field(default="", max_length=1000, description="Space-separated (RFC 6749 section 3.3)")
    email: str | None = Field(
        default=None, max_length=320, description="The account's email address; absent for a client"
    )

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())
