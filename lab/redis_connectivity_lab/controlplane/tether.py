"""Runs a program that dies with the one that started it, even when that one is killed with -9.

Used as a script, `python -I -S tether.py PARENT_PID PROGRAM ARGUMENT…`: it asks the kernel to kill this process
with its parent and then becomes the program (same pid). That is Linux's own; elsewhere the program merely runs.
It is no `preexec_fn`, which is unsafe in a process with threads; it imports nothing of the project, to start at once.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:  # it died before the kernel knew
            sys.exit(1)
    try:
        os.execv(program[0], program)  # noqa: S606 - the lab starts a program it found itself, without a shell
    except OSError as error:
        sys.exit(f"cannot run {program[0]}: {error.strerror}")


if __name__ == "__main__":
    _main()
