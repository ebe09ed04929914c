"""The errors of stock. The first line of each docstring is the default `detail` of the response."""

from typing import ClassVar

from kit.errors import MemberTypes, Problem


class StockNotFound(Problem):
    """No variant has this id, or its stock is unlimited: record received units first. If the product has options, use a variant's id."""

    status = 404


class StockChanged(Problem):
    """The number of units on hand is not `expected`. Count again, and send `on_hand` of this response as `expected`."""

    status = 409
    members: ClassVar[MemberTypes] = {"on_hand": int}


class StockTooLow(Problem):
    """More units would be written off than are on hand. Write off at most `on_hand`."""

    status = 409
    members: ClassVar[MemberTypes] = {"on_hand": int}
