"""Order numbers without a database: every mistake of one character and every exchange of two is detected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.orders.errors import OrderNotFound
from services.catalog.orders.numbers import ALPHABET, LENGTH, has_id_or_number, new_number, parse_number

numbers = st.builds(lambda _: new_number(), st.integers())


def test_new_number_when_made_often_then_has_one_form_and_does_not_repeat() -> None:
    made = [new_number() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {len(number) for number in made} == {LENGTH + 1}
    assert set("".join(made)) - {"-"} <= set(ALPHABET)
    assert not set(ALPHABET) & set("01ILO")


@given(numbers, st.integers(0, LENGTH - 1), st.sampled_from(ALPHABET))
def test_parse_number_when_one_character_is_wrong_then_it_is_none(number: str, position: int, other: str) -> None:
    characters = list(number.replace("-", ""))
    same = characters[position] == other
    characters[position] = other
    assert parse_number("".join(characters)) == (number if same else None)


@given(numbers, st.integers(0, LENGTH - 1), st.integers(0, LENGTH - 1))
def test_parse_number_when_two_characters_are_exchanged_then_it_is_none(number: str, one: int, two: int) -> None:
    characters = list(number.replace("-", ""))
    same = characters[one] == characters[two]
    characters[one], characters[two] = characters[two], characters[one]
    assert parse_number("".join(characters)) == (number if same else None)


@pytest.mark.parametrize("text", ["7K3M-9QXQ", "7k3m9qxq", " 7K3M 9QXQ ", "7K3M.9QXQ", "7-K-3-M-9-Q-X-Q"])
def test_parse_number_when_it_is_written_differently_then_it_is_the_same(text: str) -> None:
    assert parse_number(text) == "7K3M-9QXQ"


@pytest.mark.parametrize(
    "text", ["", "7K3M-9QX", "7K3M-9QXQQ", "7K3M-9QX0", "7K3M-9QXI", "ÅK3M-9QXQ", "\x00", "7K3M-9QXß"]
)
def test_parse_number_when_it_has_another_length_or_alphabet_then_it_is_none(text: str) -> None:
    assert parse_number(text) is None


def test_has_id_or_number_when_the_check_character_is_wrong_then_the_error_says_so() -> None:
    with pytest.raises(OrderNotFound, match="Compare it character by character"):
        has_id_or_number("7K3M-9QXA")
