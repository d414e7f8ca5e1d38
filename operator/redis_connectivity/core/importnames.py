"""Names for imported resources: valid for Kubernetes, unique, and no longer than they must be."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from redis_connectivity.api.limits import ENVIRONMENT_MAX

__all__ = ["environment_of", "unique_name"]

_SUFFIX: Final = "-vpc"


def environment_of(network: str) -> tuple[str, str]:
    """The environment for a network, and a sentence on how it was guessed: `staging-vpc` means staging."""
    stem = network.removesuffix(_SUFFIX)
    if stem and stem != network:
        return stem, f"environment {stem}, from the name of network {network}"
    stem = network[:ENVIRONMENT_MAX].rstrip("-")
    return stem, f"environment {stem}, after network {network}, whose name does not end in {_SUFFIX}"


def unique_name(target: str, connector: str, taken: Container[str]) -> str:
    """A name that nobody has: the target's, else with the connector's, else with a number.

    Both are labels of a-z, 0-9 and '-', so together they are a name that Kubernetes takes (253 characters at most).
    """
    for name in (target, f"{target}-{connector}"):
        if name not in taken:
            return name
    number = 2
    while f"{target}-{connector}-{number}" in taken:
        number += 1
    return f"{target}-{connector}-{number}"
