"""Database URLs as cloud providers print them."""

import pytest
from pydantic import SecretStr

from kit.database_url import async_url, check_database_url, driver_url
from kit.settings import DatabaseUrl, Settings, load_settings

BASE = "user:p%40ss@db.example:5432/shop"


@pytest.mark.parametrize(
    ("typed", "sqlalchemy", "driver"),
    [
        (f"postgres://{BASE}", f"postgresql+asyncpg://{BASE}", f"postgresql://{BASE}"),
        (f"postgresql+asyncpg://{BASE}", f"postgresql+asyncpg://{BASE}", f"postgresql://{BASE}"),
        (
            f"postgresql://{BASE}?sslmode=require&channel_binding=prefer&application_name=x",
            f"postgresql+asyncpg://{BASE}?ssl=require",
            f"postgresql://{BASE}?sslmode=require",
        ),
        (
            "postgresql://user:p%40ss@/shop?host=/var/run/postgresql",
            "postgresql+asyncpg://user:p%40ss@/shop?host=%2Fvar%2Frun%2Fpostgresql",
            "postgresql://user:p%40ss@/shop?host=%2Fvar%2Frun%2Fpostgresql",
        ),
    ],
)
def test_url_is_translated_for_sqlalchemy_and_for_the_driver(typed: str, sqlalchemy: str, driver: str) -> None:
    assert async_url(SecretStr(typed)).render_as_string(hide_password=False) == sqlalchemy
    assert driver_url(SecretStr(typed)) == driver


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        (f"postgresql://{BASE}?sslmode=on", "sslmode"),
        (f"postgresql://{BASE}?channel_binding=require", "channel_binding"),
        (f"postgresql://{BASE}?target_session_attrs=any", "target_session_attrs"),
        (f"postgresql://{BASE}?sslmode=require&sslmode=disable", "sslmode"),
        (f"mysql://{BASE}", "must begin with postgresql://"),
        ("postgresql://user:hunter2222@host:port/shop", "is not a URL"),
        ("hunter2222", "is not a URL"),
    ],
)
def test_url_that_cannot_be_used_is_refused_without_its_password(typed: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        check_database_url(SecretStr(typed))
    assert "hunter2222" not in str(refused.value)
    assert "p%40ss" not in str(refused.value)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ("sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "parameter sslrootcert, .*/nowhere/ca.pem.*No such file"),
        ("sslmode=verify-full&sslrootcert=/etc", "parameter sslrootcert, .*/etc cannot be read"),
        ("sslmode=verify-full&sslrootcert=/dev/null", "parameter sslrootcert, .*no certificate"),
        ("sslrootcert=/dev/null", "sslrootcert, which needs sslmode"),
        ("sslmode=prefer&sslrootcert=/dev/null", "sslrootcert, which needs sslmode"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system, which needs sslmode=verify-full"),
    ],
)
def test_url_with_a_root_certificate_that_cannot_be_used_is_refused(parameters: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_database_url(SecretStr(f"postgresql://{BASE}?{parameters}"))


def test_setting_with_a_root_certificate_that_cannot_be_read_names_the_variable_and_the_parameter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Named(Settings):
        shop_database_url: DatabaseUrl

    monkeypatch.setenv("TOKEN_ISSUER", "https://shop.example")
    url = f"postgresql://{BASE}?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem"
    monkeypatch.setenv("SHOP_DATABASE_URL", url)
    with pytest.raises(SystemExit) as refused:
        load_settings(Named)
    (line,) = [line for line in str(refused.value).splitlines() if "DATABASE_URL" in line]
    assert line.startswith("  SHOP_DATABASE_URL: ")
    assert "the parameter sslrootcert, but its file /nowhere/ca.pem cannot be read: No such file" in line
    assert "p%40ss" not in line
