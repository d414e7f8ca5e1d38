"""What `verify` found: as text for people, as JSON for programs, as JUnit XML for pipelines."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.markup import escape

from redis_connectivity.cli.verifying import Verified
from redis_connectivity.core.times import rfc3339
from redis_connectivity.core.verification import Outcome, VerifiedStep

__all__ = ["junit_xml", "show_json", "show_text"]

_SIGNS: Final = {
    Outcome.PASSED: "[green]✓[/green]",
    Outcome.FAILED: "[red]✗[/red]",
    Outcome.SKIPPED: "[dim]–[/dim]",
    Outcome.UNKNOWN: "[yellow]?[/yellow]",
}
_WORDS: Final = {
    Outcome.PASSED: "[green]works[/green]",
    Outcome.FAILED: "[red]broken[/red]",
    Outcome.UNKNOWN: "[yellow]not proven[/yellow]",
}
#: Characters that XML 1.0 cannot hold, which a server's answer may.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def show_text(verified: Sequence[Verified]) -> None:
    """All steps on standard output."""
    console = Console(soft_wrap=True, highlight=False)
    for one in verified:
        declared = one.declared
        title = f"[bold]{escape(declared.namespace)}/{escape(declared.name)}[/bold]  ({escape(declared.source)})"
        console.print(f"{title}: {_WORDS[one.outcome]}")
        for step in one.steps:
            took = f"  [dim]{step.seconds * 1000:.1f} ms[/dim]" if step.seconds else ""
            console.print(f"  {_SIGNS[step.outcome]} {step.group} {step.name}: {escape(step.message)}{took}")


def show_json(verified: Sequence[Verified], code: int) -> None:
    """Everything as one JSON object on standard output."""
    whole = {"resources": [_resource(one) for one in verified], "exitCode": code}
    json.dump(whole, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def _resource(one: Verified) -> dict[str, Any]:
    return {
        "namespace": one.declared.namespace,
        "name": one.declared.name,
        "source": one.declared.source,
        "at": rfc3339(one.at),
        "seconds": round(one.seconds, 3),
        "outcome": one.outcome.value,
        "steps": [_step(step) for step in one.steps],
    }


def _step(step: VerifiedStep) -> dict[str, Any]:
    return {
        "group": step.group,
        "name": step.name,
        "outcome": step.outcome.value,
        "message": step.message,
        "seconds": round(step.seconds, 6),
    }


def junit_xml(verified: Sequence[Verified]) -> bytes:
    """A JUnit report: a suite for each resource, a test case for each step; what could not be told is an error."""
    suites = ET.Element("testsuites", name="redis-connectivity verify")
    for one in verified:
        count = {outcome: sum(step.outcome is outcome for step in one.steps) for outcome in Outcome}
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=f"{one.declared.namespace}/{one.declared.name}",
            tests=str(len(one.steps)),
            failures=str(count[Outcome.FAILED]),
            errors=str(count[Outcome.UNKNOWN]),
            skipped=str(count[Outcome.SKIPPED]),
            time=f"{one.seconds:.3f}",
            timestamp=rfc3339(one.at).removesuffix("Z"),
        )
        for step in one.steps:
            _case(suite, one, step)
    written: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written


def _case(suite: ET.Element, one: Verified, step: VerifiedStep) -> None:
    name = f"{one.declared.namespace}.{one.declared.name}.{step.group}"
    case = ET.SubElement(suite, "testcase", classname=name, name=step.name, time=f"{step.seconds:.6f}")
    kind = {Outcome.FAILED: "failure", Outcome.UNKNOWN: "error", Outcome.SKIPPED: "skipped"}.get(step.outcome)
    if kind is not None:
        ET.SubElement(case, kind, message=_NOT_XML.sub("\ufffd", step.message))
