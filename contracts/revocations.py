"""The revocation list: the access tokens that services refuse although they have not expired. auth publishes it, the others poll it."""

from pydantic import BaseModel, ConfigDict, Field


class RevocationList(BaseModel):
    """The document of GET /auth/revocations. It has ids only, no personal data. Times are seconds since the epoch, UTC.

    An entry stays until the last access token that it concerns has expired.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        json_schema_extra={
            "examples": [
                {
                    "sessions": ["pX0Yd3Jm2kQv8sTzLw5n1A"],
                    "subjects": {"reporter": 1795770000},
                    "tokens": ["q4Hc9Lr1Zt7Vb2Nf6Xw0Ks"],
                    "issued_before": 0,
                }
            ]
        },
    )

    sessions: list[str] = Field(default=[], description="Sessions that were ended: tokens with this `sid` are refused")
    subjects: dict[str, int] = Field(
        default={}, description="Accounts and programs by `sub`: their tokens with an `iat` up to this time are refused"
    )
    tokens: list[str] = Field(default=[], description="Single tokens that were revoked, by `jti`")
    issued_before: int = Field(
        default=0,
        description="Every token with an `iat` up to this time is refused. 0, unless there were more entries than the list may have",
    )
