"""Network namespaces without names: held open by this process alone, so none outlives it."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["NetNs"]

_CLONE_NEWNET: Final = 0x40000000
_OWN: Final = "/proc/thread-self/ns/net"
_libc: Final = ctypes.CDLL(None, use_errno=True)


class NetNs:
    """A network namespace of its own, until it is closed and no process is left in it."""

    def __init__(self) -> None:
        """Make one; raises OSError."""
        with _back_afterwards():
            _call("unshare", _CLONE_NEWNET)
            self._fd = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def path(self) -> str:
        """What tools that this process starts may call it."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Be in it with this thread, for a moment that must not await: a socket made there stays there."""
        with _back_afterwards():
            _call("setns", self._fd, _CLONE_NEWNET)
            yield

    def sysctl(self, name: str, value: str) -> None:
        """Set a sysctl such as `net/ipv4/ip_forward`; raises OSError."""
        with self.inside():
            Path("/proc/sys", name).write_text(value)


@contextlib.contextmanager
def _back_afterwards() -> Iterator[None]:
    before = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _call("setns", before, _CLONE_NEWNET)
        os.close(before)


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
