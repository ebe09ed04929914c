"""Every spelling of an e-mail address is one identity: case, normal form, final sigma, A-labels."""

import unicodedata

import idna
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.auth.email_addresses import normalize_email

LETTERS = st.characters(categories=["Ll", "Lu", "Lo", "Lt", "Nd", "Mn"], max_codepoint=0x2FFFF)
LOCAL = st.text(st.one_of(LETTERS, st.sampled_from("σςΣß.-_+'Kİı")), min_size=1, max_size=16)
LABEL = st.text(st.characters(categories=["Ll", "Lo", "Nd"], max_codepoint=0x2FFFF), min_size=1, max_size=12)
DOMAIN = st.lists(LABEL, min_size=1, max_size=2).map(lambda labels: ".".join([*labels, "com"]))


def normalized(address: str) -> str:
    """Return the normalized address. Skips the example if it is not an address."""
    try:
        return normalize_email(address)
    except ValueError:
        assume(False)
        raise


def has_one_capital(character: str) -> bool:
    """Return whether the capital of a letter is one character that has this letter as its small one, or a sigma."""
    capital = character.upper()
    return character in "σς" or (len(capital) == 1 and capital.lower() == character)


@given(LOCAL, DOMAIN)
def test_normalizing_twice_changes_nothing_and_the_result_is_nfc(local: str, domain: str) -> None:
    once = normalized(f"{local}@{domain}")
    assert normalize_email(once) == once
    assert unicodedata.is_normalized("NFC", once)


@given(LOCAL, DOMAIN)
def test_normal_forms_of_an_address_are_one_identity(local: str, domain: str) -> None:
    once = normalized(f"{local}@{domain}")
    assert normalized(f"{unicodedata.normalize('NFD', local)}@{domain}") == once


@given(LOCAL.map(lambda local: "".join(filter(has_one_capital, local))), st.lists(st.booleans(), min_size=16))
@example("μαριοσ.παππασ", [True] * 16)
@example("ΜΑΡΙΟς", [False] * 16)
def test_letters_in_any_case_are_one_identity(local: str, flips: list[bool]) -> None:
    once = normalized(f"{local}@example.com")
    spelled = "".join(c.upper() if flip else c for c, flip in zip(local, flips, strict=False))
    assert normalized(f"{spelled}@EXAMPLE.com") == once


@given(LOCAL, DOMAIN)
@example("ada", "ꭰ.com")
def test_domain_in_unicode_and_as_a_labels_is_one_identity(local: str, domain: str) -> None:
    once = normalized(f"{local}@{domain}")
    assert normalize_email(f"{local}@{idna.encode(once.rpartition('@')[2]).decode()}") == once
