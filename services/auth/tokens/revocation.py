"""Revoke a refresh token or an access token (RFC 7009)."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import TokenVerifier
from kit.errors import NotAuthenticated
from services.auth.errors import InvalidGrant
from services.auth.sessions import refresh_tokens
from services.auth.sessions.models import LoginSession
from services.auth.sessions.revocations import end_sessions, revoke_token

OTHER_CLIENT = "The token was issued to another client."


async def revoke(db: AsyncSession, verifier: TokenVerifier, token: str, client_id: str | None) -> None:
    """End the session of a token, or revoke the access token of a program. Does nothing for an unknown, expired or forged token.

    `client_id`: the client of the request, or None if it did not name itself. Raises InvalidGrant if the token was issued to another
    client.
    """
    if refresh_tokens.TOKEN.fullmatch(token):
        if client_id is not None and not await refresh_tokens.belongs_to(db, token, client_id):
            raise InvalidGrant(OTHER_CLIENT)
        await refresh_tokens.revoke(db, token)
        return
    try:
        claims = await verifier.verify(token)
    except NotAuthenticated:
        return
    if client_id not in {None, claims.client_id}:
        raise InvalidGrant(OTHER_CLIENT)
    if claims.sid is not None:
        await end_sessions(db, LoginSession.sid == claims.sid)
    else:
        await revoke_token(db, claims.jti, datetime.fromtimestamp(claims.exp, UTC))
