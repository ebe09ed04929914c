"""Entity tags of products (preconditions.py). A new price, tag or availability makes a new one."""

from email.utils import format_datetime

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from kit.http.etags import is_current
from services.catalog.preconditions import versioned_etag
from services.catalog.products.documents import ProductDocument

CACHE_CONTROL = "no-cache"
"""A cache may store the product, and must ask before each use whether it has changed."""

NOT_STORED = "no-store"
"""The number of units changes with every order."""


def product_response(request: Request, product: ProductDocument, *, with_stock: bool) -> Response:
    """Return the product with its ETag, or 304 if the client has it already."""
    content = product.json(with_stock=with_stock).encode()
    headers = {
        "ETag": versioned_etag(product.version, content),
        "Last-Modified": format_datetime(product.updated_at, usegmt=True),
        "Cache-Control": NOT_STORED if with_stock else CACHE_CONTROL,
        "Vary": "Authorization",
    }
    if is_current(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


class EditedProduct(BaseModel):
    """A product as an editor gets it, with the number of units. It is also the stored response of an Idempotency-Key."""

    etag: str
    document: str

    @classmethod
    def of(cls, product: ProductDocument) -> "EditedProduct":
        document = product.json(with_stock=True)
        return cls(etag=versioned_etag(product.version, document.encode()), document=document)


def edited_response(product: EditedProduct, status: int) -> Response:
    """Return the response to an editor who has created or changed the product."""
    return Response(product.document, status, headers={"ETag": product.etag}, media_type="application/json")
