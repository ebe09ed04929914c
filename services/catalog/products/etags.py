"""Entity tags of products: `"<version>-<hash of the content>"`.

GET compares the whole tag, so a new price, tag or availability makes a new one. A change compares only the version: an order must not
make the change of an editor stale.
"""

import re

from fastapi import Request
from starlette.responses import Response

from kit.http.etags import is_current, strong_etag
from services.catalog.errors import PreconditionFailed, PreconditionRequired
from services.catalog.products.schemas import ProductView

CACHE_CONTROL = "no-cache"
"""A cache may store the product, and must ask before each use whether it has changed."""

TAG = re.compile(r'(?:W/)?"(\d{1,18})-[0-9a-f]{32}"')


def product_etag(product: ProductView, content: bytes | None = None) -> str:
    """Return the entity tag of a product; `content` is its JSON, if the caller has it."""
    digest = strong_etag(content or product.model_dump_json(exclude_unset=True).encode()).strip('"')
    return f'"{product.version}-{digest}"'


def product_response(request: Request, product: ProductView) -> Response:
    """Return the product with its ETag, or 304 if the client has this version."""
    content = product.model_dump_json(exclude_unset=True).encode()
    etag = product_etag(product, content)
    modified = product.updated_at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"ETag": etag, "Last-Modified": modified, "Cache-Control": CACHE_CONTROL, "Vary": "Authorization"}
    if is_current(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def check_precondition(if_match: str | None, version: int) -> None:
    """Check that the header `If-Match` names this version.

    Raises PreconditionRequired without the header, PreconditionFailed for another version.
    """
    if if_match is None:
        raise PreconditionRequired
    tags = [tag.strip() for tag in if_match.split(",")]
    versions = [int(found[1]) for found in map(TAG.fullmatch, tags) if found]
    if "*" not in tags and version not in versions:
        raise PreconditionFailed
