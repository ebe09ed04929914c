"""Who may call catalog: dependencies for its routes."""

from typing import Annotated

from fastapi import Depends

from kit.auth import Caller, authenticate, require_scope

AnyCaller = Annotated[Caller, Depends(authenticate)]
Buyer = Annotated[Caller, Depends(require_scope("orders:write"))]
Editor = Annotated[Caller, Depends(require_scope("catalog:write"))]
