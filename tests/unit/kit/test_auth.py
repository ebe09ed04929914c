"""Verification of access tokens: tokens signed by auth are accepted, everything else is refused."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.auth import TokenVerifier
from kit.errors import NotAuthenticated
from tests.fakes.jwks_endpoint import JwksEndpoint
from tests.fixtures.forged_tokens import (
    CLAIMS,
    HEADERS,
    MALFORMED,
    forge,
    signed_with_other_algorithms,
    signed_with_other_keys,
    signed_with_the_public_key,
    unsigned,
    with_their_own_keys,
)
from tests.fixtures.tokens import ISSUER, Signer


@pytest.fixture
def verifier(signer: Signer) -> TokenVerifier:
    return TokenVerifier(JwksEndpoint(signer), issuer=ISSUER, audience="shop")


async def test_a_valid_token_is_accepted(verifier: TokenVerifier, signer: Signer) -> None:
    claims = await verifier.verify(signer.token("ada"))
    assert (claims.sub, claims.email) == ("ada", "payer@example.com")
    assert "orders:write" in claims.scopes
    assert (
        await verifier.verify(forge(signer.token("ada"), signer.key, header={"typ": "application/at+jwt"}))
    ).sub == "ada"


@pytest.mark.parametrize(
    "claims", CLAIMS, ids=",".join
)  # only the names: the values contain times, which differ between processes
async def test_invalid_claims_are_refused(verifier: TokenVerifier, signer: Signer, claims: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        await verifier.verify(forge(signer.token("ada"), signer.key, **claims))


@pytest.mark.parametrize("header", HEADERS, ids=str)
async def test_invalid_headers_are_refused(verifier: TokenVerifier, signer: Signer, header: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        await verifier.verify(forge(signer.token("ada"), signer.key, header=header))


async def assert_all_refused(verifier: TokenVerifier, tokens: list[str]) -> None:
    assert tokens
    for token in tokens:
        with pytest.raises(NotAuthenticated):
            await verifier.verify(token)


async def test_unsigned_tokens_are_refused(verifier: TokenVerifier, signer: Signer) -> None:
    await assert_all_refused(verifier, unsigned(signer.token("ada")))


async def test_hmac_with_the_public_key_is_refused(verifier: TokenVerifier, signer: Signer) -> None:
    await assert_all_refused(verifier, signed_with_the_public_key(signer.token("ada"), signer.key))


async def test_another_key_with_our_kid_is_refused(verifier: TokenVerifier, signer: Signer) -> None:
    await assert_all_refused(verifier, signed_with_other_keys(signer.token("ada")))


async def test_other_algorithms_than_that_of_the_key_are_refused(verifier: TokenVerifier, signer: Signer) -> None:
    await assert_all_refused(verifier, signed_with_other_algorithms(signer.token("ada"), signer.key))


async def test_keys_inside_the_token_are_ignored(verifier: TokenVerifier, signer: Signer) -> None:
    await assert_all_refused(verifier, with_their_own_keys(signer.token("ada")))


@pytest.mark.parametrize("token", MALFORMED, ids=lambda token: token[:30])
async def test_malformed_tokens_are_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        await verifier.verify(token)


@given(st.data())
@settings(max_examples=80)
async def test_changed_tokens_are_refused(signer: Signer, data: st.DataObject) -> None:
    verifier = TokenVerifier(signer.jwks, issuer=ISSUER, audience="shop")
    token = signer.token("ada")
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="latin-1"))
    changed = data.draw(st.sampled_from([token[:place] + other + token[place + 1 :], token[:place], token + other]))
    try:
        claims = await verifier.verify(changed)
    except NotAuthenticated:
        return
    # The last character of base64url has unused bits, so different text may stand for the same bytes.
    assert _decoded(changed) == _decoded(token)
    assert claims.sub == "ada"


def _decoded(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=100))
async def test_arbitrary_text_is_refused(signer: Signer, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        await TokenVerifier(signer.jwks, issuer=ISSUER, audience="shop").verify(token)
