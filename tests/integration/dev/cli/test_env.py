"""`make env` writes fresh secrets and a signing key, readable by their owner only, and never overwrites a file."""

import re
import stat
from pathlib import Path

import pytest

from dev import PROJECT
from dev.cli import env

COMPOSE = (PROJECT / "docker-compose.yml").read_text()


def values(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    assert env.write_env(folder) == 0
    return folder


def test_env_when_written_has_every_variable_that_compose_requires(project: Path) -> None:
    found = values(project / ".env")
    for name in re.findall(r"\$\{([A-Z_]+):\?", COMPOSE):
        assert found[name], name
    secrets = [value for name, value in found.items() if value and name.endswith(("_PASSWORD", "SECRET_KEY"))]
    assert len(set(secrets)) == len(secrets)
    assert all(re.fullmatch(r"(sk_test_)?[0-9a-f]{40,48}", secret) for secret in secrets)


def test_files_when_written_are_readable_by_their_owner_only(project: Path) -> None:
    keys = project / ".secrets" / "auth-keys"
    (key,) = keys.glob("*.pem")
    files = project / ".env", *keys.iterdir()
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (keys.parent, keys)} == {0o700}
    owner = keys.stat()
    assert values(project / ".env")["AUTH_RUNS_AS"] == f"{owner.st_uid}:{owner.st_gid}"
    assert {path.stat().st_uid for path in (keys, *keys.iterdir())} == {owner.st_uid}
    assert owner.st_uid != 0
    assert key.read_text().startswith("-----BEGIN PRIVATE KEY-----")


def test_env_when_it_exists_is_not_changed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [project / ".env", *(project / ".secrets" / "auth-keys").iterdir()]
    before = [path.read_bytes() for path in files]
    assert env.write_env(project) == 0
    assert [path.read_bytes() for path in files] == before
    assert "never overwritten" in capsys.readouterr().out


def test_secrets_when_generated_twice_differ(project: Path) -> None:
    text = (PROJECT / ".env.example").read_text()
    first, second = (dict(re.findall(r"^([A-Z_]+)=(.+)$", env.fill(text, "1:1"), re.MULTILINE)) for _ in range(2))
    assert not {name for name in first if re.search("(_PASSWORD|SECRET_KEY)$", name) and first[name] == second[name]}


def test_env_when_the_signing_key_cannot_be_created_is_not_written(tmp_path: Path) -> None:
    (tmp_path / ".secrets").mkdir()
    (tmp_path / ".secrets" / "auth-keys").write_text("a file instead of a folder")
    with pytest.raises(FileExistsError):
        env.write_env(tmp_path)
    assert not (tmp_path / ".env").exists()
