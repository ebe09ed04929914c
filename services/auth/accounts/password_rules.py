"""Check new passwords: of new accounts, and when a password is changed or reset."""

import math
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from zxcvbn_rs_py import zxcvbn

from services.auth.errors import PasswordTooEasy

MIN_CHARACTERS = 8
MAX_CHARACTERS = 128
MAX_BYTES = 1024
RATED_CHARACTERS = 32
"""Only this many characters of a longer password are rated: zxcvbn's time grows with the square of the length."""
SUBSTITUTES = ("4@", "8", "({[<", "3", "69", "1!|", "1|7", "0", "$5", "+7", "%", "2")
"""The characters that zxcvbn reads as a, b, c, e, g, i, l, o, s, t, x and z."""
MAX_READINGS = 4
"""A password with more combinations of substitutes is rated without reading them as letters. zxcvbn tries every combination, which can take
200 ms or more."""
WITHOUT_SUBSTITUTES = {ord(character): 0xA1 + index for index, character in enumerate("".join(SUBSTITUTES))}
"""Replaces each substitute by a sign of its own that zxcvbn does not read as a letter, so that it still finds repetitions."""
EASY_GUESSES_LOG10 = 6
"""Fewer guesses than 10 to the power of this are a score of 0 or 1 in zxcvbn, on its scale from 0 to 4."""
WORD_GUESSES_LOG10 = 4.5
"""A word that needs fewer guesses than 10 to the power of this is a common word. `summer` needs 1.9, `quorum` 4.0, a rare word 6."""
CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f]")
WORD_WITH_ADDITIONS = re.compile(r"([\W\d_]{0,6}?)([^\W\d_]{3,})([\W\d_]{0,6})")
"""One word with up to six digits and signs before it and after it, such as `Summer2026!`."""
SIGNS = re.compile(r"[\W_]+")
ALWAYS_KNOWN = ("shop", "store", "paystack")
"""What an attacker of any shop tries."""


def normalize(password: str) -> str:
    """Return the password in NFC: keyboards compose accented letters differently (NIST SP 800-63B-4 section 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


def check_characters(password: str) -> str:
    """Return the password unchanged. Raises ValueError if it has a control character or is longer than MAX_BYTES."""
    if CONTROL_CHARACTER.search(password):
        raise ValueError("must not contain control characters")
    if len(password.encode()) > MAX_BYTES:
        raise ValueError(f"must not be longer than {MAX_BYTES} bytes")
    return password


def check_not_easy(password: str, email: str, name: str | None = None, shop: str | None = None) -> None:
    """Raise PasswordTooEasy for passwords that are easy to guess (NIST SP 800-63B-4 section 3.1.1.2, OWASP ASVS 5 section 6.2).

    These are the most common passwords, the account's e-mail address, the part before the @, the name and the shop, passwords whose
    score by zxcvbn is less than 2 if it knows the address, the name, the shop and words of African countries, and common words with a few
    digits or signs. It can take 20 ms: call it after the request was counted, and not on the event loop if anybody can make the request.
    """
    lower = password.strip().lower()
    personal = {_without_signs(text) for text in (email, email.partition("@")[0], name, shop)} - {""}
    if lower in common_passwords() or _without_signs(lower) in personal:
        raise PasswordTooEasy
    words = known_words(lower[:RATED_CHARACTERS], email, name, shop)
    rating = zxcvbn(_rated(password), words)
    if rating.guesses_log10 < EASY_GUESSES_LOG10 or _is_word_with_additions(lower[:RATED_CHARACTERS], words):
        raise PasswordTooEasy


def _rated(password: str) -> str:
    """Return what zxcvbn rates: the beginning of the password, without substitutes if they have more than MAX_READINGS combinations."""
    rated = password.strip()[:RATED_CHARACTERS]
    readings = math.prod(max(1, len(set(rated) & set(group))) for group in SUBSTITUTES)
    return rated if readings <= MAX_READINGS else rated.translate(WITHOUT_SUBSTITUTES)


def known_words(lower: str, email: str, name: str | None, shop: str | None) -> list[str]:
    """Return what an attacker of this account would try, as zxcvbn's `user_inputs`. Of the African words, only those in the password."""
    personal = {email, *_parts(email), *_parts(name), *_parts(shop), *ALWAYS_KNOWN}
    return sorted(personal | {word for word in african_words() if word in lower})


def _is_word_with_additions(lower: str, words: list[str]) -> bool:
    match = WORD_WITH_ADDITIONS.fullmatch(lower)
    return match is not None and zxcvbn(match[2], words).guesses_log10 < WORD_GUESSES_LOG10


def _without_signs(text: str | None) -> str:
    return SIGNS.sub("", (text or "").lower())


def _parts(text: str | None) -> Iterable[str]:
    return (part for part in SIGNS.split((text or "").lower()) if len(part) >= 3)


@cache
def common_passwords() -> frozenset[str]:
    """Return the most common passwords, in lower case."""
    return frozenset(_lines("common_passwords.txt"))


@cache
def african_words() -> frozenset[str]:
    """Return names, places and words of African countries, in lower case."""
    return frozenset(_lines("african_words.txt"))


def _lines(name: str) -> Iterable[str]:
    lines = (Path(__file__).parent / "word_lists" / name).read_text().splitlines()
    return (line for line in lines if line and not line.startswith("# "))
