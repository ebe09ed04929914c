import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import AmountMissing, AmountNotInteger, ApiError, InvalidAmount
from sandbox.transactions.parsing import MAXIMUM_AMOUNT, parse_amount, parse_initialize
from tests.fixtures.arbitrary_json import JSON_VALUES

VALID = {"email": "ada@example.com", "amount": 250_000, "currency": "NGN"}


@given(st.integers(1, MAXIMUM_AMOUNT))
def test_amount_as_integer_text_or_float_is_the_same(subunits: int) -> None:
    assert parse_amount(subunits) == parse_amount(str(subunits)) == parse_amount(float(subunits)) == subunits


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_amount_of_any_value_is_in_range_or_refused(sent: object) -> None:
    with contextlib.suppress(AmountMissing, AmountNotInteger, InvalidAmount):
        assert 0 < parse_amount(sent) <= MAXIMUM_AMOUNT


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("email", "amount", "currency", "reference", "metadata"), JSON_VALUES)
    )
)
def test_initialize_with_any_json_is_parsed_or_refused(sent: dict[str, Any]) -> None:
    with contextlib.suppress(ApiError):
        parse_initialize(VALID | sent)
