"""Who may call payments: dependencies for its routes."""

from typing import Annotated

from fastapi import Depends

from kit.auth import Caller, authenticate, require_scope

AnyCaller = Annotated[Caller, Depends(authenticate)]
Payer = Annotated[Caller, Depends(require_scope("payments:write"))]
Reading = Annotated[Caller, Depends(require_scope("payments:read"))]
Refunding = Annotated[Caller, Depends(require_scope("payments:refund"))]
Deciding = Annotated[Caller, Depends(require_scope("payments:decide"))]
