"""Origins in one spelling."""

import pytest

from kit.origins import normalize_origins, origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        ("https://Shop.Example/thanks?a=1#b", "https://shop.example"),
        ("HTTPS://shop.example:443/", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("https://user:password@shop.example/", "https://shop.example"),
        ("http://[::1]:3000/x", "http://[::1]:3000"),
        ("javascript:alert(1)", None),
        ("/relative", None),
        ("https://", None),
        ("https://[::1", None),
        ("https://shop.example:99999", None),
        ("https://shop.example:0", "https://shop.example:0"),
    ],
)
def test_origin_of_a_url_is_lower_case_without_the_default_port(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin


def test_normalize_origins_accepts_every_spelling_of_an_origin() -> None:
    spellings = ["https://shop.example/", "https://Shop.Example", "https://shop.example:443", "*", "http://[::1]:3000"]
    assert normalize_origins(spellings) == ["https://shop.example"] * 3 + ["*", "http://[::1]:3000"]


@pytest.mark.parametrize(
    "wrong",
    [
        "shop.example",
        "https://shop.example/cart",
        "https://a@shop.example",
        "https://shop.example?a",
        "null",
        "ftp://a",
    ],
)
def test_normalize_origins_refuses_what_is_no_origin(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"https://shop\.example"):
        normalize_origins([wrong])
