import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox.disputes.parsing import parse_evidence, parse_filename, parse_refund_amount, parse_response
from sandbox.errors import ApiError
from tests.fixtures.arbitrary_json import JSON_VALUES

EVIDENCE = {
    "customer_email": "ada@example.com",
    "customer_name": "Ada",
    "customer_phone": "0800",
    "service_details": "a book",
}
ACCEPTED = {
    "resolution": "merchant-accepted",
    "message": "We are sorry",
    "refund_amount": 100_000,
    "uploaded_filename": "a.pdf",
}


@given(st.dictionaries(st.sampled_from([*ACCEPTED, *EVIDENCE]), JSON_VALUES))
def test_response_with_any_json_is_parsed_or_refused(sent: dict[str, Any]) -> None:
    for read in (parse_response, parse_evidence, parse_refund_amount, parse_filename):
        with contextlib.suppress(ApiError):
            read(ACCEPTED | EVIDENCE | sent)
