"""Who is calling payments."""

from typing import Annotated

from fastapi import Depends

from kit.auth import Caller, TokenVerifier, fetch_jwks
from services.payments.settings import settings

identity = TokenVerifier(fetch_jwks(settings.jwks_url), issuer=settings.token_issuer, audience=settings.token_audience)

AnyCaller = Annotated[Caller, Depends(identity.caller)]
Refunding = Annotated[Caller, Depends(identity.holding("payments:refund"))]
Reading = Annotated[Caller, Depends(identity.holding("payments:read"))]
Deciding = Annotated[Caller, Depends(identity.holding("payments:decide"))]
Payer = Annotated[Caller, Depends(identity.holding("payments:write"))]
