"""Run a command that cannot outlive the process that started it: `python -I -S launcher.py PARENT UID GID COMMAND...`.

UID and GID are `-` to keep the current user. `exec` keeps the PID, so the PID of this launcher is the PID of the command.
The launcher is a program of its own for two reasons: the death signal must be set before the exec and after the
change of user, because the kernel clears it when the user changes; and a `preexec_fn` is not safe in a process with threads.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
MAX_OPEN_FILES = 65_536


def die_with_parent(number: int) -> None:
    """Ask the kernel to send this signal to this process when its parent dies. Does nothing except on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def main() -> None:
    parent, uid, gid, *command = sys.argv[1:]
    # A container may allow 2^30 open files, and epmd and Erlang reserve memory for each of them.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    die_with_parent(signal.SIGKILL)
    if os.getppid() != int(parent):  # the parent died before the signal was set
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
