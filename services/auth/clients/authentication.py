"""Authenticate the client of a token request (RFC 6749 section 2.3)."""

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import unquote_plus

from fastapi import Depends, Form, Request
from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.clients.models import Client, ClientSecret
from services.auth.clients.records import CLIENT_ID, DEFAULT_CLIENT, secret_digest
from services.auth.errors import InvalidClient, InvalidRequest, UnauthorizedClient

USE_RECORDED_EVERY = timedelta(hours=1)
_WITH_ID = select(Client).where(Client.id == bindparam("client_id"))


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The client_id and client_secret of a request, not verified."""

    client_id: str
    secret: str

    @property
    def may_be_public(self) -> bool:
        """Return False if they cannot be those of a public client: they have a secret, or the id is malformed."""
        return not self.secret and CLIENT_ID.fullmatch(self.client_id) is not None


async def authenticate_client(db: AsyncSession, credentials: ClientCredentials) -> Client:
    """Return the client of a request: a public one without a secret, or a program with one of its secrets.

    Raises InvalidClient for an unknown id, and for a missing, wrong or unexpected secret; the client cannot tell these apart.
    """
    client: Client | None = None
    if CLIENT_ID.fullmatch(credentials.client_id):
        client = await db.scalar(_WITH_ID, {"client_id": credentials.client_id})
    if client is None:
        raise InvalidClient
    if client.public:
        if credentials.secret:
            raise InvalidClient
        return client
    sent = secret_digest(credentials.secret)
    for secret in await db.scalars(select(ClientSecret).where(ClientSecret.client_id == client.id)):
        if hmac.compare_digest(secret.digest, sent):
            await _record_use(db, secret)
            return client
    raise InvalidClient


async def authenticate_public_client(
    db: AsyncSession,
    credentials: ClientCredentials | None,
    *,
    refusal: type[UnauthorizedClient] = UnauthorizedClient,
) -> Client:
    """Return the public client with which a person logs in, by default DEFAULT_CLIENT.

    Raises InvalidClient, and `refusal` for a program: programs do not handle the passwords of people.
    """
    client = await authenticate_client(db, credentials or ClientCredentials(DEFAULT_CLIENT, ""))
    if not client.public:
        raise refusal
    return client


async def _record_use(db: AsyncSession, secret: ClientSecret) -> None:
    """Write the time of use, at most once an hour. Requests at the same time do not wait for each other."""
    is_due = or_(ClientSecret.last_used_at.is_(None), ClientSecret.last_used_at < func.now() - USE_RECORDED_EVERY)
    due = select(ClientSecret.id).where(ClientSecret.id == secret.id, is_due).with_for_update(skip_locked=True)
    await db.execute(
        update(ClientSecret).where(ClientSecret.id.in_(due)).values(last_used_at=func.now()),
        execution_options={"synchronize_session": False},
    )


def parse_basic(authorization: str) -> ClientCredentials:
    """Parse an `Authorization: Basic` header (RFC 6749 section 2.3.1). Raises InvalidClient if it is malformed."""
    try:
        decoded = base64.b64decode(authorization.partition(" ")[2].strip(), validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise InvalidClient from error
    client_id, _, secret = decoded.partition(":")
    return ClientCredentials(unquote_plus(client_id), unquote_plus(secret))


def sent_credentials(request: Request, client_id: str | None, client_secret: str | None) -> ClientCredentials | None:
    """Return the client credentials from the header or the form, or None if there are none. Raises InvalidRequest, InvalidClient."""
    credentials = ClientCredentials(client_id or "", client_secret or "")
    header = request.headers.get("authorization", "")
    if header[:6].lower() == "basic ":
        if credentials.secret:
            raise InvalidRequest("Send the client's secret in the header or in the form, not in both.")
        in_header = parse_basic(header)
        if in_header.client_id and credentials.client_id not in {"", in_header.client_id}:
            raise InvalidRequest("The header and the form name different clients.")
        credentials = in_header
    return credentials if credentials.client_id or credentials.secret else None


CLIENT_ID_DESCRIPTION = "The id of your client, if the request has no HTTP Basic credentials"
CLIENT_SECRET_DESCRIPTION = "The secret of your client, if the request has no HTTP Basic credentials"  # noqa: S105


async def _sent_credentials(
    request: Request,
    client_id: Annotated[str | None, Form(max_length=200, description=CLIENT_ID_DESCRIPTION)] = None,
    client_secret: Annotated[str | None, Form(max_length=200, description=CLIENT_SECRET_DESCRIPTION)] = None,
) -> ClientCredentials | None:
    return sent_credentials(request, client_id, client_secret)


SentCredentials = Annotated[ClientCredentials | None, Depends(_sent_credentials)]
