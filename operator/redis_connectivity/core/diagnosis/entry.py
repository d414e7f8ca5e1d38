"""What the catalogue holds about one cause. Texts are templates: a status fills them, the documentation shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from redis_connectivity.api.diagnosis import DiagnosisCode

__all__ = ["COMMON_FACTS", "Entry", "fill", "placeholders"]

#: Facts that every finding has; `target` is host:port, or what is known of it.
COMMON_FACTS: Final = frozenset(
    {"name", "namespace", "environment", "project", "region", "network", "host_project", "connector", "entry", "target"}
)

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One cause.

    Attributes:
        code: Its name.
        summary: One sentence: what is wrong.
        knows: How the operator knows, for the documentation.
        remedy: What to do, a sentence or two.
        commands: What to type, to look or to mend; for the documentation.
        scenes: Names of the lab's scenes that play it.
        heals: What the operator does about it by itself; empty where that is nothing.
    """

    code: DiagnosisCode
    summary: str
    knows: str
    remedy: str
    commands: tuple[str, ...]
    scenes: tuple[str, ...]
    heals: str = ""

    @property
    def documentation(self) -> str:
        """The page about it, as a path in the project."""
        return f"docs/diagnosis/{self.code.value}.md"

    @property
    def facts(self) -> frozenset[str]:
        """What a finding must know for a status: the placeholders of summary and remedy."""
        return placeholders(self.summary) | placeholders(self.remedy)


def placeholders(template: str) -> frozenset[str]:
    """Names of the facts that a template wants."""
    return frozenset(_PLACEHOLDER.findall(template))


def fill(template: str, facts: Mapping[str, str]) -> str:
    """The template with its facts. What a fact holds is never read as a template again."""
    return _PLACEHOLDER.sub(lambda found: facts[found.group(1)], template)
