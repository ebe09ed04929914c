"""The errors that several folders of catalog answer with. The first line of each docstring is the default `detail` of the response."""

from typing import ClassVar
from uuid import UUID

from kit.errors import MemberTypes, Problem


class PreconditionRequired(Problem):
    """This request requires the header `If-Match` with the ETag of the version that you want to change. Get it with a GET request first."""

    status = 428


class PreconditionFailed(Problem):
    """Another request has changed this since you read it. Get it again, and repeat your change with its new ETag if it is still right."""

    status = 412


class ProductNotFound(Problem):
    """There is no product with this id or slug. Check it, or search with GET /catalog/products."""

    status = 404
    members: ClassVar[MemberTypes] = {"products": list[UUID]}


class SlugTaken(Problem):
    """This slug is already used. Choose another one. A new product or category without a slug gets one that is made from its name."""

    status = 409


class TooManyWords(Problem):
    """The search text has more than five words, without stop words such as `the`. Leave some out."""

    status = 422


class PriceNotWhole(Problem):
    """The currency of a price has no fractions: give a multiple of 100 subunits."""

    status = 422
