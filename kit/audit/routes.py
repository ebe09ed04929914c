"""The route of the audit log, the same in every service."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit.entries import AuditEntry, AuditFilter, list_entries
from kit.audit.schemas import ActorParam, ActParam, AuditEntryView, AuditPage, FromParam, SubjectParam, ToParam
from kit.auth import Caller, require_scope
from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses

LIST_NAME = "audit log"


def audit_router(
    prefix: str, entries: type[AuditEntry], session_of_request: Callable[[], AsyncIterator[AsyncSession]]
) -> Router:
    """Return the router of `GET <prefix>/audit-log`, which requires the scope `audit:read`.

    `session_of_request` is the dependency for the session of a GET request in the service's db.py.
    """
    router = Router(prefix=prefix, tags=["audit log"])
    service = prefix.strip("/")

    @router.get(
        "/audit-log",
        operation_id=f"list{service.capitalize()}AuditEntries",
        summary=f"List the audit entries of {service}",
        responses=problem_responses(InvalidCursor),
    )
    async def list_audit_entries(
        _: Annotated[Caller, Depends(require_scope("audit:read"))],
        session: Annotated[AsyncSession, Depends(session_of_request, scope="function")],
        actor: ActorParam = None,
        act: ActParam = None,
        subject: SubjectParam = None,
        from_: FromParam = None,
        to: ToParam = None,
        limit: Limit = 20,
        cursor: CursorParam = None,
    ) -> AuditPage:
        """Return the audit entries, newest first. Requires the scope `audit:read`."""
        selected = AuditFilter(actor=actor, act=act, subject=subject, since=from_, until=to)
        before = None if cursor is None else decode_cursor(cursor, LIST_NAME, int)[0]
        rows = await list_entries(session, entries, selected, limit + 1, before)
        page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(LIST_NAME, row.id))
        return AuditPage(items=[AuditEntryView.model_validate(row) for row in page], next_cursor=next_cursor)

    return router
