"""`make env`: write the `.env` that docker compose needs, with fresh secrets, and create the first signing key. Existing files are kept."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

from dev import PROJECT

IMAGE_USER = 10001
"""The UID in the images. Keys that root created are given to this user, because auth must not run as root."""
COMPOSE_END = "# --- Without compose"
"""The heading in .env.example that ends the variables of docker compose."""
EMPTY_VARIABLE = re.compile(r"^([A-Z_]+)=$", re.MULTILINE)


class NoSigningKey(Exception):
    """Auth's command could not create a signing key; the message is its error output."""


def main() -> int:
    """Write the missing files of this project. Returns 0 if `.env` and a signing key exist afterwards, else 1."""
    try:
        return write_env(PROJECT)
    except (NoSigningKey, OSError) as error:
        print(f"make env failed: {error}", file=sys.stderr)
        return 1


def write_env(project: Path) -> int:
    """Write `.env` and the first signing key in `project`, unless they exist."""
    env, keys = project / ".env", project / ".secrets" / "auth-keys"
    created = create_signing_key(keys)
    print(f"{'created' if created else 'kept   '}  {keys.relative_to(project)}/ (signs access tokens)")
    if write_new(env, fill((PROJECT / ".env.example").read_text(), owner(keys))):
        print("created  .env (fresh secrets, readable by its owner only)\n\nnext: docker compose --profile sandbox up")
    else:
        print("kept     .env (it exists and is never overwritten)")
    return 0


def create_signing_key(folder: Path) -> bool:
    """Create the first key in `folder` (mode 700) with auth's own command. Returns False if a key exists already."""
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    before = set(folder.iterdir())
    result = subprocess.run(
        [sys.executable, "-m", "services.auth", "keys", "create"],
        cwd=PROJECT,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "AUTH_KEYS_DIR": str(folder),
            "TOKEN_ISSUER": "http://localhost",
            "AUTH_DATABASE_URL": "postgresql://auth@localhost/auth",  # a required setting; no connection is made
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if result.returncode:
        raise NoSigningKey(result.stderr.strip())
    if os.geteuid() == 0 and folder.stat().st_uid == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, IMAGE_USER, IMAGE_USER)
    return set(folder.iterdir()) != before


def owner(folder: Path) -> str:
    """Return the owner of a folder as `uid:gid`."""
    status = folder.stat()
    return f"{status.st_uid}:{status.st_gid}"


def fill(example: str, runs_as: str) -> str:
    """Return the section of `.env.example` for docker compose, with a fresh value for each secret."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name.endswith("_PASSWORD") and name != "AUTH_SMTP_PASSWORD":  # the operator of the mail server gives it
            return f"{name}={secrets.token_hex(24)}"
        found = {
            "PAYSTACK_SECRET_KEY": f"sk_test_{secrets.token_hex(20)}",
            "PAYMENTS_CLIENT_SECRET": secrets.token_hex(24),
            "CATALOG_STATUS_TOKEN_SECRET": secrets.token_hex(24),
            "AUTH_RUNS_AS": runs_as,
        }
        return f"{name}={found.get(name, '')}"

    head = "# Written by `make env` and never overwritten. Keep it secret and keep a copy: the databases use these passwords.\n"
    body = example[: example.index(COMPOSE_END)].split("\n\n", 1)[1]
    return f"{head}\n{EMPTY_VARIABLE.sub(value, body).rstrip()}\n"


def write_new(path: Path, text: str) -> bool:
    """Write a new file with mode 600. Returns False, and changes nothing, if the file exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return True
