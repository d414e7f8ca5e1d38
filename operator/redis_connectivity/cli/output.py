"""How commands write what they found."""

from __future__ import annotations

import enum

__all__ = ["Output"]


class Output(enum.StrEnum):
    """For people, or for programs."""

    TEXT = "text"
    JSON = "json"
