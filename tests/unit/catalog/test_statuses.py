"""The reasons that catalog stores are those that it may publish."""

from typing import get_args

from contracts.events import OrderUndeliverableData
from services.catalog.statuses import UndeliverableReason


def test_undeliverable_reasons_when_compared_with_contract_then_are_the_same() -> None:
    assert tuple(UndeliverableReason) == get_args(OrderUndeliverableData.model_fields["reason"].annotation)
