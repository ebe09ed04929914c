"""Errors that catalog answers. Each docstring is the sentence that the client reads."""

from kit.errors import Problem


class ProductNotFound(Problem):
    """There is no product with this id or slug: check it, or search with GET /catalog/products."""

    status = 404


class CategoryNotFound(Problem):
    """There is no category with this id: choose one from GET /catalog/categories."""

    status = 404


class OrderNotFound(Problem):
    """You have no order with this id: list your orders with GET /catalog/orders."""

    status = 404


class SlugTaken(Problem):
    """This slug is already used: choose another one, or leave it out to get one made from the name."""

    status = 409


class PriceRangeEmpty(Problem):
    """No price matches because min_price is greater than max_price: correct one of them."""

    status = 422


class CurrenciesDiffer(Problem):
    """All products of an order must have the same currency: place one order for each currency."""

    status = 422


class AmountTooLarge(Problem):
    """The order's amount is greater than the largest possible payment: split it into several orders."""

    status = 422


class OutOfStock(Problem):
    """There is not enough stock: reduce the quantities to those that `products` gives as left."""

    status = 409


class OrderNotPending(Problem):
    """Only a pending order can be cancelled: `order_status` is the status of this one."""

    status = 409
