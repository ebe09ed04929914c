"""Who may call the routes for operators."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path

from kit.audit.actor import Actor
from kit.audit.requests import acting
from kit.auth import Caller, require_scope
from kit.errors import NotAuthenticated, raises
from services.auth.db import DatabaseTransaction
from services.auth.management.operators import Operator, session_exists

may_manage = require_scope("accounts:manage")


@raises(NotAuthenticated)
async def _operator(
    caller: Annotated[Caller, Depends(may_manage)],
    actor: Annotated[Actor, Depends(acting(may_manage))],
    db: DatabaseTransaction,
) -> Operator:
    """Return the operator. A token whose session has just ended is refused at once, not only after the next poll of the revocations."""
    if caller.session_id is not None and not await session_exists(db, caller.session_id):
        raise NotAuthenticated("The session of this access token has ended. Log in again.")
    return Operator(actor, caller.scopes)


CurrentOperator = Annotated[Operator, Depends(_operator, scope="function")]
AccountId = Annotated[UUID, Path(description="Id of the account")]
