"""The caller's sessions, and the revocation list for the other services."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request, Response
from sqlalchemy import func, select

from contracts.revocations import RevocationList
from kit.auth import Caller, authenticate
from kit.db.locks import for_no_key_update
from kit.errors import NotAuthenticated, raises
from kit.http.etags import NOT_MODIFIED, conditional_response
from kit.http.routing import Router
from kit.problem_responses import problem_responses
from services.auth.db import DatabaseTransaction, Reading
from services.auth.errors import AccountNeeded, SessionNotFound
from services.auth.sessions import revocations
from services.auth.sessions.models import LoginSession
from services.auth.sessions.schemas import SessionId, Sessions, SessionView

MAX_LISTED = 100
router = Router(prefix="/auth", tags=["sessions"])


@raises(AccountNeeded, NotAuthenticated)
async def current_session(caller: Annotated[Caller, Depends(authenticate)], db: DatabaseTransaction) -> LoginSession:
    """Lock the session of the caller's token until the end of the transaction, and return it.

    `authenticate` alone accepts the token for some seconds after its session has ended. Raises AccountNeeded if the token belongs to a
    program, NotAuthenticated if its session has ended.
    """
    if caller.session_id is None:
        raise AccountNeeded
    query = select(LoginSession).where(
        LoginSession.sid == caller.session_id, LoginSession.account_id == UUID(caller.id)
    )
    found: LoginSession | None = await db.scalar(for_no_key_update(query))
    if found is None:
        raise NotAuthenticated("The session of this access token has ended. Log in again.")
    return found


CurrentSession = Annotated[LoginSession, Depends(current_session, scope="function")]


@router.get("/sessions", summary="List your sessions", responses=problem_responses(AccountNeeded))
async def list_sessions(caller: Annotated[Caller, Depends(authenticate)], db: Reading) -> Sessions:
    """Return the sessions of the account, the last used first, at most 100."""
    if caller.session_id is None:
        raise AccountNeeded
    found = await db.scalars(
        select(LoginSession)
        .where(LoginSession.account_id == UUID(caller.id), LoginSession.expires_at > func.now())
        .order_by(LoginSession.last_used_at.desc(), LoginSession.sid)
        .limit(MAX_LISTED)
    )
    return Sessions(
        items=[
            SessionView(
                id=each.sid,
                client=each.client_id,
                device=each.device,
                address=each.address,
                created_at=each.created_at,
                last_used_at=each.last_used_at,
                current=each.sid == caller.session_id,
            )
            for each in found
        ]
    )


@router.delete("/sessions", status_code=204, summary="End your other sessions")
async def end_other_sessions(current: CurrentSession, db: DatabaseTransaction) -> Response:
    """End all sessions of the account except the one of this access token.

    Their refresh tokens end at once, and every service refuses their access tokens within ten seconds.
    """
    await revocations.end_sessions_of_account(db, current.account_id, keep=current.sid)
    return Response(status_code=204)


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    summary="End one of your sessions",
    responses=problem_responses(SessionNotFound),
)
async def end_session(
    current: CurrentSession,
    db: DatabaseTransaction,
    session_id: Annotated[SessionId, Path(description="Id of the session")],
) -> Response:
    """End a session. If it is the one of this access token, this logs out."""
    chosen = (LoginSession.sid == session_id, LoginSession.account_id == current.account_id)
    if not await revocations.end_sessions(db, *chosen):
        raise SessionNotFound
    return Response(status_code=204)


@router.get(
    "/revocations",
    summary="Get the revocations",
    response_model=RevocationList,
    responses=NOT_MODIFIED,
)
async def get_revocations(request: Request, db: Reading) -> Response:
    """Return the access tokens that must be refused although they have not expired. Services poll it every five seconds with If-None-Match.

    The gateway does not route this path. The list has ids only, no personal data.
    """
    found = await revocations.current_list(db)
    content = found.model_dump_json().encode()
    return conditional_response(request, content, media_type="application/json", cache_control="no-cache")
