import contextlib
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zxcvbn_rs_py import zxcvbn

from services.auth.accounts import password_rules
from services.auth.accounts.password_rules import (
    MAX_BYTES,
    MAX_CHARACTERS,
    african_words,
    check_characters,
    check_not_easy,
    common_passwords,
    known_words,
)
from services.auth.errors import PasswordTooEasy

EMAIL = "ada.lovelace@example.com"
RANDOM_PASSWORDS = 10 * settings().max_examples
"""1,000; 200 in `make unit`. Each takes a millisecond."""
SYLLABLES = [a + b for a in "bcdfghjklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "el", "ir", "ost", "um")]


def test_check_characters_when_allowed_then_returned_unchanged() -> None:
    for password in ("a gate of nine hinges", " spaces at both ends ", "x" * MAX_BYTES, "\u00fc" * (MAX_BYTES // 2)):
        assert check_characters(password) == password


@pytest.mark.parametrize(
    "password", ["a\x00b", "a\nb", "a\x7fb", "x" * (MAX_BYTES + 1), "\u00fc" * (MAX_BYTES // 2 + 1)]
)
def test_check_characters_when_control_character_or_too_long_then_value_error(password: str) -> None:
    with pytest.raises(ValueError, match="must not"):
        check_characters(password)


@pytest.mark.parametrize(
    "password",
    [
        "blessing",
        "emmanuel",
        "maverick",
        "lagos123",
        "ghana123",
        "Shop1234",
        "p4ssword",
        "Summer2026!",
        " PASSWORD123 ",
        "kwame1990",
        "Abuja@2025",
        "254nairobi",
        "Chelsea2024!",
        "harambee63",
        "abababab",
        "qwertyuiop123",
        "日" * 9,
    ],
)
def test_check_not_easy_when_common_then_refused(password: str) -> None:
    with pytest.raises(PasswordTooEasy):
        check_not_easy(password, EMAIL)


@pytest.mark.parametrize(
    "password",
    [
        "ada.lovelace",
        "Ada.Lovelace@example.com",
        "lovelace1815!",
        "Zipporah99",
        "zipporah.obuya",
        "kwik-mart",
        "Kwik2026",
    ],
)
def test_check_not_easy_when_made_of_address_name_or_shop_then_refused(password: str) -> None:
    with pytest.raises(PasswordTooEasy):
        check_not_easy(password, EMAIL, name="Zipporah Obuya", shop="Kwik Mart")


@pytest.mark.parametrize(
    "password",
    [
        "a gate of nine hinges",
        "vK8#qL2!xT",
        "summer rain on a tin roof",
        "\u79c1\u306f\u6bce\u671d\u725b\u4e73\u3092\u4e8c\u676f\u98f2\u3080",
    ],
)
def test_check_not_easy_when_uncommon_then_accepted(password: str) -> None:
    check_not_easy(password, EMAIL, name="Ada Lovelace", shop="Kwikmart")


def test_check_not_easy_when_four_random_words_then_accepted() -> None:
    choice = random.Random(7)
    for _ in range(RANDOM_PASSWORDS):
        words = ["".join(choice.choices(SYLLABLES, k=choice.randint(2, 3))) for _ in range(4)]
        check_not_easy(" ".join(words), EMAIL, name="Ada Lovelace", shop="Kwikmart")


def test_check_not_easy_when_four_words_that_people_know_then_accepted() -> None:
    """These words are common passwords by themselves."""
    common = sorted(word for word in common_passwords() if word.isalpha())
    choice = random.Random(8)
    for _ in range(RANDOM_PASSWORDS):
        check_not_easy(" ".join(choice.sample(common, 4)), EMAIL, name="Ada Lovelace", shop="Kwikmart")


@given(st.text(min_size=8, max_size=MAX_CHARACTERS), st.text(max_size=200))
def test_check_not_easy_when_any_text_then_decided(password: str, name: str) -> None:
    with contextlib.suppress(PasswordTooEasy):
        check_not_easy(password, EMAIL, name=name, shop=name)


def test_known_words_when_password_is_long_then_few() -> None:
    """zxcvbn's time grows with the number of words, so only those that the password contains are given to it."""
    assert known_words("kwame of accra", EMAIL, "Ada Lovelace", None) == sorted(
        {EMAIL, "ada", "lovelace", "example", "com", "shop", "store", "paystack", "kwame", "accra"}
    )


def test_word_lists_when_read_then_without_comments_and_in_lower_case() -> None:
    assert len(common_passwords()) > 8_300
    assert len(african_words()) > 200
    for word in common_passwords() | african_words():
        assert word == word.lower().strip()
        assert not word.startswith("# ")


def test_check_not_easy_when_every_character_can_stand_for_another_then_few_combinations_are_tried() -> None:
    """With all of them, zxcvbn needs about 200 ms: it reads them in thousands of combinations."""
    password = "4@8({[<369!1|70$5+%2" * 2
    rated: list[str] = []

    def rate(text: str, words: list[str]) -> object:
        rated.append(text)
        return zxcvbn(text, words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(password_rules, "zxcvbn", rate)
        check_not_easy(password, EMAIL)
    assert rated
    for text in rated:
        assert len(text) <= 32
        assert math.prod(max(1, len(set(text) & set(group))) for group in password_rules.SUBSTITUTES) <= 4
