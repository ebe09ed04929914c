"""`make env`: the `.env` that docker compose needs, with fresh secrets, and the first signing key. What is there stays as it is."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
IMAGE_ACCOUNT = 10001
"""Whom the images run as; the keys are given to this account where root, which auth should not be, would own them."""
REST = "# --- Without compose"
EMPTY = re.compile(r"^([A-Z_]+)=$", re.MULTILINE)


class NoSigningKey(Exception):
    """Auth's command could not make a signing key; the message is what it said."""


def main() -> int:
    """Writes what is missing in the project's folder. 0 also where nothing was: then there is a `.env`, as was wanted."""
    try:
        return make(PROJECT)
    except (NoSigningKey, OSError) as error:
        print(f"no .env was written: {error}", file=sys.stderr)
        return 1


def make(project: Path) -> int:
    env, keys = project / ".env", project / ".secrets" / "auth-keys"
    made_key = make_signing_key(keys)
    print(f"{'made' if made_key else 'kept'}   {keys.relative_to(project)}/ (signs access tokens)")
    if write_new(env, fill((PROJECT / ".env.example").read_text(), owner(keys))):
        print("wrote  .env (fresh secrets; only its owner reads it)\n\nnext: docker compose --profile sandbox up")
    else:
        print("kept   .env: it is there already, and is never overwritten")
    return 0


def make_signing_key(folder: Path) -> bool:
    """Has auth's own command make the first key in `folder` (mode 700). False where there is one."""
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    made = subprocess.run(
        [sys.executable, "-m", "services.auth", "keys"],
        cwd=PROJECT,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "AUTH_KEYS_DIR": str(folder),
            "TOKEN_ISSUER": "http://localhost",
            "AUTH_DATABASE_URL": "postgresql://auth@localhost/auth",  # read, and not connected to
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if made.returncode:
        raise NoSigningKey(made.stderr.strip())
    if os.geteuid() == 0 and folder.stat().st_uid == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, IMAGE_ACCOUNT, IMAGE_ACCOUNT)
    return made.stdout.startswith("made")


def owner(folder: Path) -> str:
    status = folder.stat()
    return f"{status.st_uid}:{status.st_gid}"


def fill(example: str, runs_as: str) -> str:
    """The part of `.env.example` that compose reads, with a fresh value for each secret."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name.endswith("_PASSWORD"):
            return f"{name}={secrets.token_hex(24)}"
        found = {"PAYSTACK_SECRET_KEY": f"sk_test_{secrets.token_hex(20)}", "AUTH_RUNS_AS": runs_as}
        return f"{name}={found.get(name, '')}"

    head = "# Written by `make env`, never overwritten. Keep it secret, and keep a copy: it opens the databases.\n"
    body = example[: example.index(REST)].split("\n\n", 1)[1]
    return f"{head}\n{EMPTY.sub(value, body).rstrip()}\n"


def write_new(path: Path, text: str) -> bool:
    """Writes a file that only its owner reads (mode 600). False where there is one: it is left alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return True


if __name__ == "__main__":
    sys.exit(main())
