"""Authenticate the client of a token request (RFC 6749 section 2.3)."""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote_plus

from fastapi import Depends, Form, Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.clients.models import Client
from services.auth.clients.records import CLIENT_ID, PUBLIC_CLIENT, secret_digest
from services.auth.errors import InvalidClient, InvalidRequest


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The client_id and client_secret of a request, not verified."""

    client_id: str
    secret: str


async def authenticate_client(session: AsyncSession, credentials: ClientCredentials) -> Client:
    """Return the client. Raises InvalidClient for an unknown id and for a wrong secret; the client cannot tell these apart."""
    known = CLIENT_ID.fullmatch(credentials.client_id)
    client = await session.get(Client, credentials.client_id) if known else None
    if client is None or not hmac.compare_digest(client.secret_digest, secret_digest(credentials.secret)):
        raise InvalidClient
    return client


def parse_basic(authorization: str) -> ClientCredentials:
    """Parse an `Authorization: Basic` header (RFC 6749 section 2.3.1). Raises InvalidClient if it is malformed."""
    try:
        decoded = base64.b64decode(authorization.partition(" ")[2].strip(), validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise InvalidClient from error
    client_id, _, secret = decoded.partition(":")
    return ClientCredentials(unquote_plus(client_id), unquote_plus(secret))


async def _sent_credentials(
    request: Request,
    client_id: Annotated[
        str | None,
        Form(max_length=200, description="The id of your client, if the request has no HTTP Basic credentials"),
    ] = None,
    client_secret: Annotated[
        str | None,
        Form(max_length=200, description="The secret of your client, if the request has no HTTP Basic credentials"),
    ] = None,
) -> ClientCredentials | None:
    """Return the client credentials from the header or the form, or None if there are none or only the id of the public client."""
    credentials = ClientCredentials(client_id or "", client_secret or "")
    header = request.headers.get("authorization", "")
    if header[:6].lower() == "basic ":
        if credentials.secret:
            raise InvalidRequest("Send the client's secret in the header or in the form, not in both.")
        in_header = parse_basic(header)
        if in_header.client_id and credentials.client_id not in {"", in_header.client_id}:
            raise InvalidRequest("The header and the form name different clients.")
        credentials = in_header
    if not credentials.secret and credentials.client_id in {"", PUBLIC_CLIENT}:
        return None
    return credentials


SentCredentials = Annotated[ClientCredentials | None, Depends(_sent_credentials)]
