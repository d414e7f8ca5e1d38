"""Where etcd, kube-apiserver and kubectl come from.

In this order: `KUBEBUILDER_ASSETS`, PATH, the user's cache, the official archive, `go build`. A way counts only
when it has all three programs: a mix (say an old kubectl of a cloud SDK with a new server) breaks in ways that
help nobody.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis_connectivity_lab.controlplane import download, gobuild, pins
from redis_connectivity_lab.controlplane.progress import Progress

__all__ = ["ASSETS_VARIABLE", "URL_VARIABLE", "Binaries", "BinariesError", "cache_folder", "find"]

#: A folder with the three programs; the name is kubebuilder's, so one setting serves other projects too.
ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
#: Another place for the official archive (a mirror); empty or `none` leaves that way out.
URL_VARIABLE = "REDIS_CONNECTIVITY_LAB_ARCHIVE_URL"

_PREFIX = ".unfinished-"


class BinariesError(Exception):
    """No way led to a control plane; the message has each way's reason."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The three programs and, for people, where they are from."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path
    source: str

    @classmethod
    def in_folder(cls, folder: Path, source: str) -> Binaries | None:
        """The programs in `folder`, or None unless all are there and may be run."""
        paths = [folder / program for program in pins.PROGRAMS]
        if not all(path.is_file() and os.access(path, os.X_OK) for path in paths):
            return None
        etcd, kube_apiserver, kubectl = paths
        return cls(etcd, kube_apiserver, kubectl, source)


def cache_folder(env: Mapping[str, str]) -> Path:
    """The project's folder in the user's cache."""
    base = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME") or Path.home()) / ".cache")
    return Path(base) / "redis-connectivity" / "controlplane"


def find(env: Mapping[str, str] | None = None, progress: Progress | None = None) -> Binaries:
    """The control plane's programs, fetched or built when they are nowhere yet.

    Args:
        env: The environment to decide by; this process' own by default.
        progress: Where to tell what takes long.

    Raises:
        BinariesError: `KUBEBUILDER_ASSETS` names a folder without them, or every way failed.
    """
    env = os.environ if env is None else env
    progress = progress or Progress()
    notes: list[str] = []
    return _from_assets(env) or _from_path(env, notes) or _from_cache(env) or _make(env, progress, notes)


def _from_assets(env: Mapping[str, str]) -> Binaries | None:
    folder = env.get(ASSETS_VARIABLE)
    if not folder:
        return None
    found = Binaries.in_folder(Path(folder), f"{ASSETS_VARIABLE} ({folder})")
    if found is None:  # asked for by name: going on silently with something else would be a surprise
        raise BinariesError(f"{ASSETS_VARIABLE} is {folder}, which lacks one of {', '.join(pins.PROGRAMS)}")
    return found


def _from_path(env: Mapping[str, str], notes: list[str]) -> Binaries | None:
    paths = {program: shutil.which(program, path=env.get("PATH", os.defpath)) for program in pins.PROGRAMS}
    missing = [program for program, path in paths.items() if path is None]
    if missing:
        notes.append(f"PATH: no {', '.join(missing)}")
        return None
    etcd, server, kubectl = (Path(path) for path in paths.values() if path is not None)
    version = _version(server)
    if version is None or version < pins.MINIMUM_KUBERNETES:
        told = "of unknown version" if version is None else "{}.{}".format(*version)
        notes.append(f"PATH: kube-apiserver is {told}, needed is {'{}.{}'.format(*pins.MINIMUM_KUBERNETES)}")
        return None
    return Binaries(etcd, server, kubectl, f"PATH ({server.parent})")


def _version(server: Path) -> tuple[int, int] | None:
    done = subprocess.run([str(server), "--version"], capture_output=True, text=True, check=False, timeout=30)
    match = re.search(r"v(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else None


def _built() -> str:
    return f"kubernetes-{pins.KUBERNETES_VERSION}-{pins.platform_key()}-{gobuild.digest()}"


def _archived() -> str:
    return f"archive-{pins.ARCHIVE_VERSION}-{pins.platform_key()}"


def _from_cache(env: Mapping[str, str]) -> Binaries | None:
    cache = cache_folder(env)
    for name in (_built(), _archived()):
        found = Binaries.in_folder(cache / name, f"the cache ({cache / name})")
        if found is not None:
            return found
    return None


def _make(env: Mapping[str, str], progress: Progress, notes: list[str]) -> Binaries:
    cache = cache_folder(env)
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache, progress):
        found = _from_cache(env)  # whoever held the lock before may have made them
        if found is not None:
            return found
        _sweep(cache)
        ways: tuple[tuple[str, str, Callable[[Path], None]], ...] = (
            ("the official archive", _archived(), lambda folder: _download(folder, env, progress)),
            ("go build", _built(), lambda folder: gobuild.build(folder, progress, env)),
        )
        for way, name, make in ways:
            try:
                return _install(cache, name, way, make)
            except (download.DownloadError, gobuild.BuildError) as error:
                notes.append(f"{way}: {error}")
                progress.say(f"{way}: {error}")
    raise BinariesError(
        "no control plane (etcd, kube-apiserver, kubectl) to be had:\n  - "
        + "\n  - ".join(notes)
        + f"\nSet {ASSETS_VARIABLE} to a folder that has the three."
    )


def _download(folder: Path, env: Mapping[str, str], progress: Progress) -> None:
    base = env.get(URL_VARIABLE, pins.ARCHIVE_BASE_URL)
    if base in {"", "none"}:
        raise download.DownloadError(f"left out ({URL_VARIABLE} is {base or 'empty'})")
    download.fetch(download.Archive.official(base, pins.platform_key()), folder, progress)


def _install(cache: Path, name: str, way: str, make: Callable[[Path], None]) -> Binaries:
    """Lets `make` fill a scratch folder, which goes into the cache in one step, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=cache, prefix=_PREFIX, ignore_cleanup_errors=True) as scratch:
        work = Path(scratch) / "work"
        work.mkdir()
        make(work)
        for leftover in work.glob(".*"):
            shutil.rmtree(leftover)
        if Binaries.in_folder(work, way) is None:
            raise BinariesError(f"{way} did not bring {', '.join(pins.PROGRAMS)}")
        final = cache / name
        if final.exists():  # incomplete: `_from_cache` did not want it
            shutil.rmtree(final)
        work.rename(final)
    found = Binaries.in_folder(final, f"{way} (now in {final})")
    if found is None:
        raise BinariesError(f"{final} lost its programs while they were installed")
    return found


def _sweep(cache: Path) -> None:
    """Removes what a killed process left; the lock is ours, so nobody is at work in them."""
    for leftover in cache.glob(f"{_PREFIX}*"):
        shutil.rmtree(leftover)


@contextmanager
def _locked(cache: Path, progress: Progress) -> Iterator[None]:
    """One maker at a time on this machine; the kernel frees the lock of a killed one."""
    with (cache / "lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.step("waiting for another process that is making the control plane"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
