"""The types of request fields: what their JSON schema says is what they accept."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kit.fields import FullParagraph, Line, Paragraph


def accepts(adapter: TypeAdapter[Any], value: object) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("kind", [Line, Paragraph, FullParagraph])
@given(
    text=st.text(
        st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \t\n\r\x00\x0b\x1c\x7f\x85\u2028"), max_size=8
    )
)
def test_text_with_the_documented_pattern_is_accepted_and_without_it_is_refused(kind: Any, text: str) -> None:
    pattern = TypeAdapter(kind).json_schema()["pattern"].replace("$", r"\Z")
    has_pattern = re.search(pattern, text) is not None
    if accepts(TypeAdapter(kind), text) is not has_pattern:
        # White space at both ends is removed, also line breaks that the pattern does not allow.
        assert not has_pattern
        assert re.search(pattern, text.strip())
