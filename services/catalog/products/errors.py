"""The errors of products. The first line of each docstring is the default `detail` of the response."""

from kit.errors import Problem


class ProductOrdered(Problem):
    """Orders refer to this product, so it cannot be deleted. Set its status to `archived` to take it off sale."""

    status = 409


class StatusFilterNotAllowed(Problem):
    """Only callers with the scope catalog:write may list drafts and archived products. Leave the status out, or use another token."""

    status = 403


class PriceRangeEmpty(Problem):
    """min_price is greater than max_price. Correct one of them."""

    status = 422


class CurrencyRequired(Problem):
    """Prices of different currencies cannot be compared. Add `currency` to filter or sort by price."""

    status = 422
