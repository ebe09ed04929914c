"""Every e-mail address that auth stores is sent to Paystack in ASCII, and is still the same address."""

from hypothesis import assume, given
from hypothesis import strategies as st

from kit.email_addresses import ascii_email
from sandbox.transactions.parsing import EMAIL
from services.auth.email_addresses import normalize_email

LOCAL = st.from_regex(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-zA-Z0-9]{1,10})?", fullmatch=True)
LABEL = st.text(st.characters(categories=["Ll", "Lu", "Lo", "Nd"], max_codepoint=0x2FFFF), min_size=1, max_size=12)
TOP_LEVEL = st.sampled_from(["com", "test", "local", "рф", "中国", "قطر", "भारत", "ELÁ", "COM"])


@given(LOCAL, st.lists(LABEL, min_size=1, max_size=3), TOP_LEVEL)
def test_stored_address_is_sent_in_ascii_and_stays_the_same_address(
    local: str, labels: list[str], top_level: str
) -> None:
    try:
        stored = normalize_email(f"{local}@{'.'.join(labels)}.{top_level}")
    except ValueError:
        assume(False)
    sent = ascii_email(stored)
    assert sent.isascii(), (stored, sent)
    assert EMAIL.fullmatch(sent)
    assert len(sent) <= 254
    assert normalize_email(sent) == stored
    assert ascii_email(sent) == sent
