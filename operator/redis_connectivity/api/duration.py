"""Durations as Kubernetes writes them (`30s`, `1m30s`, `500ms`), kept as text in the resource and read as seconds."""

from __future__ import annotations

import re
from typing import Final

#: What Go's time.ParseDuration takes, without sign, fractions or units below a millisecond.
DURATION_PATTERN: Final = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"
_PARTS = re.compile(r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?")


def parse_duration(text: str) -> float:
    """Seconds meant by `text`.

    Raises:
        ValueError: the text is not a duration such as 30s, 1m30s or 500ms.
    """
    match = _PARTS.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 1m30s or 500ms")
    parts = {unit: int(number) for unit, number in match.groupdict(default="0").items()}
    return parts["h"] * 3600 + parts["m"] * 60 + parts["s"] + parts["ms"] / 1000
