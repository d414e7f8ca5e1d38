"""The official archive: fetched, held against its pinned checksum, and only then unpacked."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import requests

from redis_connectivity_lab.controlplane import pins
from redis_connectivity_lab.controlplane.progress import Progress

__all__ = ["Archive", "DownloadError", "fetch"]

#: Seconds to connect, short so that a machine without internet goes on at once; and seconds without a byte.
_TIMEOUT = (4.0, 20.0)
_CHUNK = 1 << 20


class DownloadError(Exception):
    """The archive could not be had, or is not what it should be."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive of the three programs: where it is and what it must hash to (SHA-512, hexadecimal)."""

    url: str
    sha512: str

    @classmethod
    def official(cls, base_url: str, platform: str) -> Archive:
        """The pinned archive for `platform`, from `base_url` (a mirror is welcome: the checksum decides)."""
        checksum = pins.ARCHIVE_CHECKSUMS.get(platform)
        if checksum is None:
            raise DownloadError(f"there is no official archive for {platform}")
        release = f"envtest-v{pins.ARCHIVE_VERSION}"
        return cls(f"{base_url.rstrip('/')}/{release}/{release}-{platform}.tar.gz", checksum)


def fetch(archive: Archive, destination: Path, progress: Progress) -> None:
    """Puts the archive's programs into the folder `destination`.

    Raises:
        DownloadError: Nothing came, or something else came, or a program is missing in it.
    """
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".download-") as scratch:
        file = Path(scratch) / "archive.tar.gz"
        with progress.step(f"downloading {Path(archive.url).name}"):
            digest = _download(archive.url, file)
        if not hmac.compare_digest(digest, archive.sha512):
            raise DownloadError(
                f"{archive.url} is not used: its SHA-512 is {digest[:16]}… not the pinned {archive.sha512[:16]}…"
            )
        _unpack(file, destination)


def _download(url: str, file: Path) -> str:
    digest = hashlib.sha512()
    try:
        with requests.get(url, stream=True, timeout=_TIMEOUT) as response, file.open("wb") as out:
            response.raise_for_status()
            for chunk in response.iter_content(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
    except requests.RequestException as error:
        # The cause inside urllib3's wrapping; the wrapping repeats the whole URL.
        reason = getattr(error.args[0], "reason", error) if error.args else error
        raise DownloadError(f"{url} cannot be fetched: {reason}") from error
    return digest.hexdigest()


def _unpack(file: Path, destination: Path) -> None:
    """Copies the wanted programs out by name; nothing else in the archive gets to choose a path."""
    missing = set(pins.PROGRAMS)
    try:
        with tarfile.open(file, "r:gz") as tar:
            for member in tar:
                name = Path(member.name).name
                if name not in missing or not member.isfile():
                    continue
                source = tar.extractfile(member)
                if source is None:
                    continue
                with source, (destination / name).open("wb") as out:
                    shutil.copyfileobj(source, out, _CHUNK)
                (destination / name).chmod(0o755)
                missing.discard(name)
    except tarfile.TarError as error:
        raise DownloadError(f"the archive cannot be read: {error}") from error
    if missing:
        raise DownloadError(f"the archive lacks {', '.join(sorted(missing))}")
