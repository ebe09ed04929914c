"""Run Postgres as an unprivileged user if this process is root. Postgres refuses to run as root."""

import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

RELOCATED = Path("/var/lib/shop-dev")
"""Contains the data if the user cannot enter the project's folder, for example because the project is below /root."""
ORIGIN_FILE = "belongs-to"


@dataclass(frozen=True)
class SystemUser:
    """A user of this machine."""

    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Return True if this user may enter `folder` and every folder above it."""
        folder = folder.resolve()
        return all(self._may_enter(parent) for parent in (folder, *folder.parents))

    def _may_enter(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def unprivileged_user() -> SystemUser | None:
    """Return the user `nobody` if this process runs as root, else None."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return SystemUser(nobody.pw_uid, nobody.pw_gid)


def create_data_folder(user: SystemUser | None, wanted: Path) -> Path:
    """Create the folder `wanted` unless it exists, and return its real path, which `user` can enter.

    If the user cannot enter the parent folder, the folder is created in RELOCATED and `wanted` becomes a symlink to it;
    no permission of an existing folder is changed. The user of this process owns the folder, so `user` cannot replace it with a symlink.
    """
    if wanted.exists():
        home = wanted.resolve()
        if wanted.is_symlink():
            (home / ORIGIN_FILE).write_text(str(wanted.absolute()))  # the project may have been moved
        return home
    wanted.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    if user is None or user.can_enter(wanted.parent):
        wanted.mkdir()
        wanted.chmod(0o711)
        return wanted.resolve()
    RELOCATED.mkdir(mode=0o711, exist_ok=True)
    remove_relocated_folder(wanted)
    home = Path(tempfile.mkdtemp(dir=RELOCATED))
    wanted.symlink_to(home)
    (home / ORIGIN_FILE).write_text(str(wanted.absolute()))
    home.chmod(0o711)
    return home


def remove_relocated_folder(wanted: Path) -> None:
    """Remove the folder in RELOCATED that belongs to `wanted`, and the symlink to it."""
    if RELOCATED.is_dir():
        for origin in RELOCATED.glob(f"*/{ORIGIN_FILE}"):
            if origin.read_text() == str(wanted.absolute()):
                shutil.rmtree(origin.parent, ignore_errors=True)
    if wanted.is_symlink():
        wanted.unlink()
