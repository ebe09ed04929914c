import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import ApiError
from sandbox.refunds.parsing import parse_account_currency, parse_refund_request
from tests.fixtures.arbitrary_json import JSON_VALUES


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("transaction", "amount", "currency", "customer_note", "refund_account_details"), JSON_VALUES
        ),
    )
)
def test_refund_with_any_json_is_parsed_or_refused(sent: dict[str, Any]) -> None:
    with contextlib.suppress(ApiError):
        parse_refund_request({"transaction": "x"} | sent)
    with contextlib.suppress(ApiError):
        parse_account_currency(sent)
