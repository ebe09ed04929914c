"""Decide which units staff can pack, ship and deliver. This module does no I/O.

A step includes those before it: shipped units count as packed, delivered ones as shipped. So a shop that does not record the packing can
ship at once, and one that hands goods over can deliver at once.
"""

from dataclasses import dataclass, replace

from services.catalog.statuses import FulfilmentStep, ProductKind


@dataclass(frozen=True, slots=True)
class ItemUnits:
    """An item of a paid order, with the numbers of its units that were packed, shipped and delivered."""

    kind: ProductKind
    quantity: int
    packed: int = 0
    shipped: int = 0
    delivered: int = 0

    @property
    def is_delivered(self) -> bool:
        return self.delivered == self.quantity

    def is_possible(self, step: FulfilmentStep) -> bool:
        """Return False if the step makes no sense: a service is not packed and not shipped."""
        return self.kind != ProductKind.SERVICE or step == FulfilmentStep.DELIVER

    def left(self, step: FulfilmentStep) -> int:
        """Return the number of units for which the step is not recorded yet."""
        match step:
            case FulfilmentStep.PACK:
                return self.quantity - self.packed
            case FulfilmentStep.SHIP:
                return self.quantity - self.shipped
            case FulfilmentStep.DELIVER:
                return self.quantity - self.delivered

    def after(self, step: FulfilmentStep, units: int) -> "ItemUnits":
        """Return the item after the step with this number of units, which is at most `left`."""
        match step:
            case FulfilmentStep.PACK:
                return replace(self, packed=self.packed + units)
            case FulfilmentStep.SHIP:
                shipped = self.shipped + units
                return replace(self, shipped=shipped, packed=max(self.packed, shipped))
            case FulfilmentStep.DELIVER:
                delivered = self.delivered + units
                shipped = max(self.shipped, delivered)
                return replace(self, delivered=delivered, shipped=shipped, packed=max(self.packed, shipped))
