import pytest

from services.auth.email_addresses import normalize_email


@pytest.mark.parametrize(
    ("address", "normalized"),
    [
        (" Ada@Example.COM ", "ada@example.com"),
        ("Ada+Tag@example.com", "ada+tag@example.com"),
        ("e\u0301va@example.com", "\u00e9va@example.com"),
        ("ΜΑΡΙΟΣ.ΠΑΠΠΑΣ@example.com", "μαριος.παππας@example.com"),
        ("μαριοσ.παππασ@example.com", "μαριος.παππας@example.com"),
        ("μαριος.παππας@example.com", "μαριος.παππας@example.com"),
        ("ΣΟΦΙΑ1σ@example.com", "σοφια1σ@example.com"),
        ("straße@example.com", "straße@example.com"),
        ("\u212aate@example.com", "kate@example.com"),
        ("ada@xn--exmple-cua.com", "ada@ex\u00e4mple.com"),
        ("admin@Shop.LOCAL", "admin@shop.local"),
        ("admin@shop\u3002\uff4c\uff4f\uff43\uff41\uff4c", "admin@shop.local"),
        ("admin@xn--exmple-cua.test", "admin@ex\u00e4mple.test"),
        ("admin@a.b.localhost", "admin@a.b.localhost"),
    ],
)
def test_normalize_email_when_valid_then_one_spelling(address: str, normalized: str) -> None:
    assert normalize_email(address) == normalized
    assert normalize_email(normalized) == normalized


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "local",
        "@shop.local",
        "ada@local",
        "ada@localhost",
        "ada@-shop.local",
        "ada@shop..local",
        "ada@shop.local.",
        "Ada <ada@shop.local>",
        "a\x00da@shop.local",
        "ada@" + "a" * 64 + ".local",
        "ada@[127.0.0.1]",
    ],
)
def test_normalize_email_when_invalid_then_value_error(address: str) -> None:
    with pytest.raises(ValueError, match="must be an e-mail address"):
        normalize_email(address)
