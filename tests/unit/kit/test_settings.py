"""Settings come from the environment or from files; errors name the variable but not its value."""

from pathlib import Path

import pytest
from pydantic import Field

from kit.settings import CommaList, Port, Secret, Settings, load_settings

VALUE = "a-perfectly-good-value-42"


class Sample(Settings):
    sample_secret: Secret
    sample_other: Secret | None = None
    sample_port: Port = 8000
    sample_list: CommaList = Field(default=[])
    sample_count: int = Field(default=1, ge=1)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAMPLE_SECRET", "SAMPLE_OTHER", "SAMPLE_PORT", "SAMPLE_LIST", "SAMPLE_COUNT", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TOKEN_ISSUER", "http://auth.test")
    monkeypatch.setenv("SAMPLE_SECRET", VALUE)


def refusal() -> str:
    with pytest.raises(SystemExit) as refused:
        load_settings(Sample)
    return str(refused.value)


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_LIST", " https://a.test , https://b.test,, ")
    monkeypatch.setenv("SAMPLE_PORT", "9000")
    found = load_settings(Sample)
    assert found.sample_secret.get_secret_value() == VALUE
    assert (found.sample_port, found.sample_list) == (9000, ["https://a.test", "https://b.test"])


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_OTHER", "")
    monkeypatch.setenv("SAMPLE_PORT", "")
    found = load_settings(Sample)
    assert (found.sample_other, found.sample_port) == (None, 8000)


@pytest.mark.parametrize(
    "placeholder",
    [
        "changeme",
        "change-me-please",
        "CHANGE_ME_0123456789",
        "your-secret-key-here",
        "your_password_0123456",
        "<paste the key here>",
        "sk_test_xxxxxxxxxxxxxxxx",
        "postgresql://app:changeme@db:5432/app",
        "a placeholder value",
        "password",
        "guest",
        "tiny-77",
    ],
)
def test_a_placeholder_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch, placeholder: str) -> None:
    monkeypatch.setenv("SAMPLE_SECRET", placeholder)
    message = refusal()
    assert "SAMPLE_SECRET" in message
    assert placeholder not in message


def test_every_invalid_variable_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"SAMPLE_PORT": "99999", "SAMPLE_COUNT": "many-777", "LOG_LEVEL": "LOUD-777", "SAMPLE_SECRET": "xxx777"}
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    message = refusal()
    for name, value in wrong.items():
        assert name in message
        assert value not in message


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAMPLE_SECRET")
    assert "SAMPLE_SECRET" in refusal()


def test_a_secret_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{VALUE}\n")
    monkeypatch.delenv("SAMPLE_SECRET")
    monkeypatch.setenv("SAMPLE_SECRET_FILE", str(file))
    assert load_settings(Sample).sample_secret.get_secret_value() == VALUE


@pytest.mark.parametrize("content", [b"changeme", b"", b"\xff\xfe\x00secret-777"])
def test_the_value_from_a_file_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    monkeypatch.delenv("SAMPLE_SECRET")
    monkeypatch.setenv("SAMPLE_SECRET_FILE", str(file))
    message = refusal()
    assert "SAMPLE_SECRET" in message
    assert "777" not in message


def test_an_unreadable_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SAMPLE_SECRET")
    monkeypatch.setenv("SAMPLE_SECRET_FILE", str(tmp_path / "nothing"))
    assert "SAMPLE_SECRET_FILE" in refusal()
    monkeypatch.setenv("SAMPLE_SECRET_FILE", str(tmp_path))
    assert "SAMPLE_SECRET_FILE" in refusal()


def test_a_secret_is_not_printed() -> None:
    found = load_settings(Sample)
    assert VALUE not in f"{found} {found!r} {found.model_dump_json()}"


@pytest.mark.parametrize("proxies", ["10.0.0.5", "10.0.0.0/24, gateway", "2001:db8::/64,my-proxy.internal", ""])
def test_trusted_proxies_are_addresses_networks_and_host_names(monkeypatch: pytest.MonkeyPatch, proxies: str) -> None:
    monkeypatch.setenv("TOKEN_ISSUER", "http://auth.test")
    monkeypatch.setenv("TRUSTED_PROXIES", proxies)
    assert load_settings(Settings).trusted_proxies == [part.strip() for part in proxies.split(",") if part]


@pytest.mark.parametrize("proxies", ["10.0.0.5/24", "10.0.0.300", "*", "http://gateway", "a b", "gateway:8080"])
def test_trusted_proxies_of_another_form_are_refused(monkeypatch: pytest.MonkeyPatch, proxies: str) -> None:
    monkeypatch.setenv("TOKEN_ISSUER", "http://auth.test")
    monkeypatch.setenv("TRUSTED_PROXIES", proxies)
    with pytest.raises(SystemExit, match=r"TRUSTED_PROXIES: .*must be IP addresses, networks"):
        load_settings(Settings)
