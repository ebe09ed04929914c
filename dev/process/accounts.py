"""Postgres refuses to run as root: then it runs as an account without rights, in a folder that this account can reach."""

import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

# Where root keeps data for that account when it cannot enter the folder of the project, /root (mode 700) for instance.
ELSEWHERE = Path("/var/lib/shop-dev")
ORIGIN = "belongs-to"


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Whether this account could walk into `folder`, through every folder above it."""
        folder = folder.resolve()
        return all(self._passes(parent) for parent in (folder, *folder.parents))

    def _passes(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def unprivileged() -> Account | None:
    """Whom to become when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def home_of(account: Account | None, wanted: Path) -> Path:
    """The folder `wanted`, where `account` can get to it; what stands in it is ours, so that a link set there cannot lead us astray.

    When the account cannot get there, the folder stands elsewhere and `wanted` is a link to it. Nobody's permissions are changed.
    """
    if wanted.exists():
        home = wanted.resolve()
        if wanted.is_symlink():
            (home / ORIGIN).write_text(str(wanted.absolute()))  # the project may have moved
        return home
    wanted.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    if account is None or account.can_enter(wanted.parent):
        wanted.mkdir()
        wanted.chmod(0o711)
        return wanted.resolve()
    ELSEWHERE.mkdir(mode=0o711, exist_ok=True)
    remove_elsewhere(wanted)
    home = Path(tempfile.mkdtemp(dir=ELSEWHERE))
    wanted.symlink_to(home)
    (home / ORIGIN).write_text(str(wanted.absolute()))
    home.chmod(0o711)
    return home


def remove_elsewhere(wanted: Path) -> None:
    """Removes what stands elsewhere for `wanted`, and the link to it."""
    if ELSEWHERE.is_dir():
        for origin in ELSEWHERE.glob(f"*/{ORIGIN}"):
            if origin.read_text() == str(wanted.absolute()):
                shutil.rmtree(origin.parent, ignore_errors=True)
    if wanted.is_symlink():
        wanted.unlink()
