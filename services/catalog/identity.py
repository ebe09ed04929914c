"""Who is calling catalog."""

from typing import Annotated

from fastapi import Depends

from kit.auth import Caller, TokenVerifier, fetch_jwks
from services.catalog.settings import settings

identity = TokenVerifier(fetch_jwks(settings.jwks_url), issuer=settings.token_issuer, audience=settings.token_audience)

AnyCaller = Annotated[Caller, Depends(identity.caller)]
Buyer = Annotated[Caller, Depends(identity.holding("orders:write"))]
Editor = Annotated[Caller, Depends(identity.holding("catalog:write"))]
