"""Becomes a command that cannot outlive the process that started it: `python -I -S launch.py PARENT UID GID COMMAND...`.

UID and GID are `-` to stay who we are. The PID stays the same through the exec, so the PID of this launcher is the PID of
the command. It is a program of its own because the death signal must be set after the change of account (the kernel
clears it there) and before the exec, and because a `preexec_fn` is not safe beside threads.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
OPEN_FILES = 65_536


def die_with_parent(number: int) -> None:
    """Has the kernel send us this signal when our parent dies, however it dies (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def main() -> None:
    parent, uid, gid, *command = sys.argv[1:]
    # A container may allow 2^30 open files; epmd and Erlang reserve memory for each.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    bound = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (bound, bound))
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    die_with_parent(signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before the signal was set
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
