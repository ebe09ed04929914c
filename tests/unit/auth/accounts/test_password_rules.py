import pytest

from services.auth.accounts.password_rules import MAX_BYTES, check_characters, check_not_easy
from services.auth.errors import PasswordTooEasy


def test_check_characters_when_allowed_then_returned_unchanged() -> None:
    for password in ("a gate of nine hinges", " spaces at both ends ", "x" * MAX_BYTES, "\u00fc" * (MAX_BYTES // 2)):
        assert check_characters(password) == password


@pytest.mark.parametrize(
    "password", ["a\x00b", "a\nb", "a\x7fb", "x" * (MAX_BYTES + 1), "\u00fc" * (MAX_BYTES // 2 + 1)]
)
def test_check_characters_when_control_character_or_too_long_then_value_error(password: str) -> None:
    with pytest.raises(ValueError, match="must not"):
        check_characters(password)


@pytest.mark.parametrize("password", [" PASSWORD123 ", "abababab", "ada.lovelace", "Ada.Lovelace@example.com"])
def test_check_not_easy_when_common_or_the_own_address_then_refused(password: str) -> None:
    with pytest.raises(PasswordTooEasy):
        check_not_easy(password, "ada.lovelace@example.com")


def test_check_not_easy_when_uncommon_then_accepted() -> None:
    check_not_easy("a gate of nine hinges", "ada.lovelace@example.com")
