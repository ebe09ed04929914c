"""Dependencies that authenticate callers of catalog and check their scopes."""

from typing import Annotated

from fastapi import Depends

from kit.audit.actor import Actor
from kit.audit.requests import acting
from kit.auth import Caller, authenticate, require_scope

AnyCaller = Annotated[Caller, Depends(authenticate)]
"""Any caller with a valid access token."""

Customer = Annotated[Caller, Depends(require_scope("orders:write"))]
"""A caller who may place and cancel orders."""

EditingActor = Annotated[Actor, Depends(acting(require_scope("catalog:write")))]
"""A caller who may change products and categories, and the address, for the audit log."""
