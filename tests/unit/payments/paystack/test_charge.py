"""The parser of charges, given any JSON."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.payments.paystack.charge import Charge, parse_charge
from services.payments.paystack.parsing import Unreadable
from tests.fakes.paystack import charge
from tests.fixtures.json_values import NESTED, is_storable, objects_like

ONE = charge("pay-1")
FIELDS = objects_like(ONE)


@given(st.one_of(NESTED, FIELDS, FIELDS.map(lambda odd: {**ONE, **odd})))
def test_parse_charge_when_given_any_json_returns_a_storable_charge_or_raises_unreadable(data: Any) -> None:
    try:
        parsed: Charge | None = parse_charge(data)
    except Unreadable:
        parsed = None
    assert parsed is None or 0 <= parsed.amount <= 2**53
    assert parsed is None or is_storable(parsed.reference, parsed.currency, parsed.domain, parsed.channel or "")
