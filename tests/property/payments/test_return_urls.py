"""URLs that belong to the shop are kept byte for byte, and our parameters are found in them."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sandbox.transactions.parsing import parse_http_url
from services.payments import schemas
from services.payments.checkout.return_urls import with_query
from services.payments.references import new_reference
from services.payments.settings import PaymentsSettings

VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
URLS = st.text(VISIBLE, max_size=60).map(lambda rest: f"https://payments.test/{rest}")
RETURN_URL: TypeAdapter[str] = TypeAdapter(schemas.ReturnUrl)


@given(URLS, st.sampled_from(["", "?a=1", "?a=1&", "?", "#f", "?a=1#f?b=2", "?x=%2F%2f+%20#"]))
def test_our_parameters_are_added_and_everything_else_is_kept(url: str, more: str) -> None:
    url += more
    result = with_query(url, "trxref=pay-1&reference=pay-1")
    address, hash_sign, fragment = url.partition("#")
    assert result.startswith(address)
    assert result.endswith(f"{hash_sign}{fragment}")
    added = result[len(address) : len(result) - len(hash_sign + fragment)]
    assert added.lstrip("?&") == "trxref=pay-1&reference=pay-1"
    assert len(added) <= len("?trxref=pay-1&reference=pay-1")
    query = parse_qsl(urlsplit(result).query, keep_blank_values=True)
    assert query[-2:] == [("trxref", "pay-1"), ("reference", "pay-1")]
    assert query[:-2] == parse_qsl(address.partition("?")[2], keep_blank_values=True)


@pytest.mark.parametrize("query", ["", "?q=1"])
def test_the_longest_url_that_we_accept_is_accepted_with_our_parameters(
    monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr(PaymentsSettings, "allows_return_to", lambda *_: True)
    url = "https://shop.test/".ljust(1900 - len(query), "x") + query
    assert RETURN_URL.validate_python(url) == url
    with pytest.raises(ValidationError):
        RETURN_URL.validate_python(url + "x")
    sent = with_query(url, f"reference={new_reference()}")
    assert parse_http_url(sent) == sent
