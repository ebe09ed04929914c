"""The header `If-Match`: editors do not overwrite each other's changes.

The entity tag of a product or category is `"<version>-<hash of the content>"`. GET compares the whole tag. A change compares only the
version, so an order that changes the availability does not make the change of an editor fail.
"""

import re
from typing import Annotated

from fastapi import Header

from kit.http.etags import strong_etag
from services.catalog.errors import PreconditionFailed, PreconditionRequired

TAG = re.compile(r'(?:W/)?"(\d{1,18})-[0-9a-f]{32}"')

IfMatch = Annotated[
    str | None,
    Header(
        max_length=1000,
        description="Required: the `ETag` of the product as you read it, or `*`. If it has changed since, the answer is 412",
    ),
]
CategoryIfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1000,
        description="The `ETag` of the category as you read it. If it has changed since, the answer is 412",
    ),
]
VariantIfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1000,
        description="The `ETag` of the variant's product as you read it. If it has changed since, the answer is 412",
    ),
]


def versioned_etag(version: int, content: bytes) -> str:
    """Return the entity tag of a version; `content` is its JSON."""
    digest = strong_etag(content).strip('"')
    return f'"{version}-{digest}"'


def check_precondition(if_match: str | None, version: int) -> None:
    """Check that the header `If-Match` names this version.

    Raises PreconditionRequired without the header, PreconditionFailed for another version.
    """
    if if_match is None:
        raise PreconditionRequired
    check_if_sent(if_match, version)


def check_if_sent(if_match: str | None, version: int) -> None:
    """Check that the header `If-Match`, if it was sent, names this version. Raises PreconditionFailed."""
    if if_match is None:
        return
    tags = [tag.strip() for tag in if_match.split(",")]
    versions = [int(found[1]) for found in map(TAG.fullmatch, tags) if found]
    if "*" not in tags and version not in versions:
        raise PreconditionFailed
