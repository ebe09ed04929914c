"""Responses about sessions."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from kit.fields import Pattern
from kit.schemas import ListResponse, ResponseModel, example

SessionId = Annotated[
    str, Pattern("^[A-Za-z0-9_-]{22}$", "must be the id of a session: 22 letters, digits and the signs - _")
]


class SessionView(ResponseModel):
    model_config = example(
        {
            "id": "pX0Yd3Jm2kQv8sTzLw5n1A",
            "client": "shop",
            "device": "Mozilla/5.0 (Linux; Android 14)",
            "address": "102.89.23.7",
            "created_at": "2026-11-23T10:15:00Z",
            "last_used_at": "2026-11-24T08:02:11Z",
            "current": True,
        }
    )

    id: str = Field(description="Id of the session, which is `sid` in its access tokens")
    client: str = Field(description="Id of the client application")
    device: str | None = Field(description="User-Agent of the last request for a token")
    address: str | None = Field(description="IP address of the last request for a token")
    created_at: datetime = Field(description="Time of the login")
    last_used_at: datetime = Field(description="Time of the last request for a token")
    current: bool = Field(description="True for the session of the access token of this request")


class Sessions(ListResponse[SessionView]):
    """The sessions of an account."""
