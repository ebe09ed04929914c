"""The state of a stack survives a restart."""

import stat
from pathlib import Path

from dev.servers.state import State


def test_secret_when_the_file_is_read_again_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    secret = State(path).secret("paystack_secret_key", prefix="sk_test_")
    assert State(path).secret("paystack_secret_key", prefix="sk_test_") == secret
    assert secret.startswith("sk_test_")
    assert len(secret) == len("sk_test_") + 48
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_port_when_it_was_not_stored_is_none(tmp_path: Path) -> None:
    state = State(tmp_path / "state.json")
    assert state.port("postgres_port") is None
    state.store("postgres_port", 20_001)
    assert State(tmp_path / "state.json").port("postgres_port") == 20_001
