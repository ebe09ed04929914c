"""The types of request fields: what their JSON schema says is what they accept."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, StringConstraints, TypeAdapter, ValidationError

from kit.fields import (
    EmailAddress,
    IdempotencyKey,
    Line,
    Moment,
    NonEmptyParagraph,
    Paragraph,
    Pattern,
    PhoneNumber,
    ReferenceText,
    Slug,
    Word,
)
from kit.validation_errors import describe


def accepts(adapter: TypeAdapter[Any], value: object) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \t\n\r\x00\x0b\x1c\x7f\x85\u2028"), max_size=8
)


@pytest.mark.parametrize("kind", [Line, Paragraph, NonEmptyParagraph])
@given(text=TEXTS)
def test_text_with_the_documented_pattern_is_accepted_and_without_it_is_refused(kind: Any, text: str) -> None:
    pattern = TypeAdapter(kind).json_schema()["pattern"].replace("$", r"\Z")
    has_pattern = re.search(pattern, text) is not None
    if accepts(TypeAdapter(kind), text) is not has_pattern:
        # White space at both ends is removed, also line breaks that the pattern does not allow.
        assert not has_pattern
        assert re.search(pattern, text.strip())


@pytest.mark.parametrize("kind", [EmailAddress, PhoneNumber, Slug, Word, ReferenceText, IdempotencyKey])
@given(text=TEXTS | st.sampled_from(["ada@example.com", "+234 801", "a-b-1", "a", "a\n", "a b"]))
def test_text_is_accepted_if_and_only_if_it_has_the_pattern(kind: Any, text: str) -> None:
    pattern = TypeAdapter(kind).json_schema()["pattern"].replace("$", r"\Z")
    assert accepts(TypeAdapter(kind), text) is (re.search(pattern, text) is not None)


def test_text_that_does_not_match_a_pattern_is_refused_in_words() -> None:
    class Paid(BaseModel):
        reference: ReferenceText
        code: Annotated[str, Pattern("^[A-Z]{3}$", "must be a currency code, such as NGN")]
        other: Annotated[str, StringConstraints(pattern="^[a-z]{40}$")]

    with pytest.raises(ValidationError) as refused:
        Paid(reference="a b", code="NG", other="x")
    assert [describe({**error, "loc": ("body", *error["loc"])}) for error in refused.value.errors()] == [
        "reference: must be 1 to 200 letters, digits and the signs . = _ -.",
        "code: must be a currency code, such as NGN.",
        "other: does not have the required form.",
    ]


@pytest.mark.parametrize("number", [1764000000, 1764000000.5, "1764000000", " 1764000000.5 ", "-1", "+4649667258"])
def test_time_that_is_a_number_is_refused_with_an_example(number: object) -> None:
    with pytest.raises(ValidationError, match="must be a date and time, such as 2026-11-24T03:00Z"):
        TypeAdapter(Moment).validate_python(number)


def test_time_of_the_example_is_accepted() -> None:
    assert TypeAdapter(Moment).validate_python("2026-11-24T03:00Z") == datetime(2026, 11, 24, 3, tzinfo=UTC)
