"""Every name that the API accepts has a slug, in any script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kit.fields import Line
from services.catalog.slugs import MAX_LENGTH, UUID_FORMAT, ChosenSlug, candidates

LINE, SLUG = TypeAdapter[str](Line), TypeAdapter[str](ChosenSlug)
NAMES = {
    "Crème brûlée & Ọ̀bẹ": "creme-brulee-obe",
    "日本語の本": "ri-ben-yu-no-ben",
    "한국어 책": "han-gug-eo-chaeg",
    "中文书": "zhong-wen-shu",
    "Русская книга": "russkaya-kniga",
    "Ελληνικό βιβλίο": "elliniko-vivlio",
    "كتاب عربي": "ktb-rby",
    "ספר עברי": "sfr-vry",
    "हिन्दी पुस्तक": "hindi-pustk",
    "หนังสือไทย": "hnangsueoaithy",
    "የአማርኛ መጽሐፍ": "yeamarnya-metshaf",
    "ქართული წიგნი": "kartuli-tsigni",
    "🎧": "headphones",
}


@pytest.mark.parametrize(("name", "slug"), NAMES.items())
def test_slug_when_the_name_has_another_script_then_it_is_transliterated(name: str, slug: str) -> None:
    assert candidates(name, "product")[0] == slug


@given(st.text(max_size=200))
def test_slugs_when_the_name_is_legal_then_all_are_legal(text: str) -> None:
    try:
        name = LINE.validate_python(text)
    except ValidationError:
        return
    for slug in candidates(name, "product"):
        assert SLUG.validate_python(slug) == slug
        assert len(slug) <= MAX_LENGTH + 7
        assert not UUID_FORMAT.fullmatch(slug)


def test_slug_when_the_name_is_an_id_then_it_gets_a_suffix() -> None:
    for slug in candidates("7D1F6F0E-4A51-4A53-9A3F-0D8B3E6C2B11", "product"):
        assert slug.startswith("7d1f6f0e-")
        assert not UUID_FORMAT.fullmatch(slug)


@pytest.mark.parametrize("name", ["---", "\U000f0000"])
def test_slug_when_nothing_can_be_transliterated_then_it_is_the_fallback(name: str) -> None:
    assert candidates(name, "category")[0] == "category"
