"""Entity tags of products (preconditions.py). A new price, tag or availability makes a new one."""

from fastapi import Request
from starlette.responses import Response

from kit.http.etags import is_current
from services.catalog.preconditions import versioned_etag
from services.catalog.products.schemas import ProductView

CACHE_CONTROL = "no-cache"
"""A cache may store the product, and must ask before each use whether it has changed."""


def product_etag(product: ProductView, content: bytes | None = None) -> str:
    """Return the entity tag of a product; `content` is its JSON, if the caller has it."""
    return versioned_etag(product.version, content or product.model_dump_json(exclude_unset=True).encode())


def product_response(request: Request, product: ProductView) -> Response:
    """Return the product with its ETag, or 304 if the client has this version."""
    content = product.model_dump_json(exclude_unset=True).encode()
    etag = product_etag(product, content)
    modified = product.updated_at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"ETag": etag, "Last-Modified": modified, "Cache-Control": CACHE_CONTROL, "Vary": "Authorization"}
    if is_current(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")
