"""What can be wrong with a request to catalog."""

from kit.errors import Problem


class ProductNotFound(Problem):
    """There is no such product."""

    status = 404


class CategoryNotFound(Problem):
    """There is no such category."""

    status = 404


class OrderNotFound(Problem):
    """There is no such order among those that you may see."""

    status = 404


class SlugTaken(Problem):
    """This slug belongs to another; choose one, or leave it out and one is made from the name."""

    status = 409


class PriceRangeEmpty(Problem):
    """min_price is above max_price."""

    status = 422


class CurrenciesDiffer(Problem):
    """The products of one order must be priced in one currency."""

    status = 422


class AmountTooLarge(Problem):
    """The order's amount is more than can be paid at once."""

    status = 422


class OutOfStock(Problem):
    """There is not enough left of a product; `products` says how many of each can still be ordered."""

    status = 409


class OrderNotPending(Problem):
    """Only an order that waits for its payment can be cancelled."""

    status = 409
