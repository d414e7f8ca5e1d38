"""Identifiers and times in the forms Google gives them (exchanges recorded in k8s-config-connector)."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import secrets
import time
import uuid
from datetime import UTC, datetime
from typing import Any

__all__ = ["Ids", "Json", "fingerprint", "now"]

#: A JSON object as it travels. Its shape is Google's and open-ended, hence Any.
Json = dict[str, Any]


def now() -> str:
    """The present in RFC 3339 with microseconds, as the recorded exchanges show it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def fingerprint(resource: Json) -> str:
    """A resource's fingerprint: eight bytes in base64 that change with its content."""
    content = json.dumps(resource, sort_keys=True).encode()
    return base64.b64encode(hashlib.sha256(content).digest()[:8]).decode()


class Ids:
    """Makes ids that are unique in one emulator and shaped like Google's."""

    def __init__(self) -> None:
        self._sequence = itertools.count(1)
        # Numeric ids are 64-bit; starting high gives them the 19 digits that one sees in the wild.
        self._base = 4_000_000_000_000_000_000 + secrets.randbelow(10**17)

    def sequence(self) -> int:
        """The next number of a plain count."""
        return next(self._sequence)

    def numeric(self) -> str:
        """A resource's numeric id; JSON carries 64-bit numbers as strings."""
        return str(self._base + next(self._sequence) * 1009)

    def project_number(self) -> str:
        """A project's number, twelve digits."""
        return str(100_000_000_000 + secrets.randbelow(800_000_000_000))

    def compute_operation(self) -> str:
        """The name of a Compute operation."""
        parts = (secrets.token_hex(7)[:13], secrets.token_hex(4), secrets.token_hex(4))
        return "-".join(("operation", str(time.time_ns() // 1_000_000), *parts))

    def long_running(self, service: str) -> str:
        """The last part of a long-running operation's name; Memorystore's look like Compute's, vpcaccess uses UUIDs."""
        return str(uuid.uuid4()) if service == "vpcaccess" else self.compute_operation()
