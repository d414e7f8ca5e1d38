"""Which credentials to use, as a value that settings can make without importing Google's libraries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CredentialsConfig"]


@dataclass(frozen=True, slots=True)
class CredentialsConfig:
    """Which credentials to use.

    Attributes:
        mode: `adc` for Application Default Credentials, `anonymous` for servers that ask for none.
        impersonate: E-mail of a service account to act as (needs roles/iam.serviceAccountTokenCreator on it).
    """

    mode: Literal["adc", "anonymous"] = "adc"
    impersonate: str | None = None
