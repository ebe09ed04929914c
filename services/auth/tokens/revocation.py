"""Revoke a refresh token or an access token (RFC 7009)."""

from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import TokenVerifier
from kit.errors import NotAuthenticated
from services.auth.errors import InvalidGrant, UnsupportedTokenType
from services.auth.sessions import refresh_tokens

OTHER_CLIENT = "The token was issued to another client."


async def revoke(session: AsyncSession, verifier: TokenVerifier, token: str, client_id: str | None) -> None:
    """End the session of a token. Does nothing for an unknown, expired or forged token.

    `client_id`: the client of the request, or None if it did not name itself. Raises InvalidGrant if the token was issued to another
    client, UnsupportedTokenType for an access token without a session.
    """
    if refresh_tokens.TOKEN.fullmatch(token):
        if client_id is not None and not await refresh_tokens.belongs_to(session, token, client_id):
            raise InvalidGrant(OTHER_CLIENT)
        await refresh_tokens.revoke(session, token)
        return
    try:
        claims = await verifier.verify(token)
    except NotAuthenticated:
        return
    if client_id not in {None, claims.client_id}:
        raise InvalidGrant(OTHER_CLIENT)
    if claims.sid is None:
        raise UnsupportedTokenType
    await refresh_tokens.end_session(session, claims.sid)
