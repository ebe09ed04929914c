import contextlib

from hypothesis import given
from hypothesis import strategies as st

from sandbox.api.fields import parse_fields
from sandbox.errors import ApiError


@given(st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]), st.binary(max_size=200))
def test_body_of_any_bytes_is_parsed_or_refused(content_type: str, body: bytes) -> None:
    with contextlib.suppress(ApiError):
        parse_fields(content_type, body)
