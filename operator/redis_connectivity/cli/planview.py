"""Plans as text for people and as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from redis_connectivity.api.status import ConditionStatus
from redis_connectivity.cli.documents import Skipped
from redis_connectivity.cli.planned import Planned
from redis_connectivity.core.actions import UpdateRule
from redis_connectivity.core.drift import rule_fields
from redis_connectivity.core.forecast import Step
from redis_connectivity.core.outlook import Hop, HopName
from redis_connectivity.core.risk import RiskLevel, worst
from redis_connectivity.core.verdict import Verdict

__all__ = ["show_json", "show_text"]

_SIGNS: Final = {"Create": ("+", "green"), "Insert": ("+", "green"), "Delete": ("-", "red")}
_RISKS: Final = {
    RiskLevel.NONE: "[green]none[/green]",
    RiskLevel.BRIEF: "[yellow]brief[/yellow]",
    RiskLevel.CUTS: "[bold red]takes connectivity away[/bold red]",
}
_MARKS: Final = {
    ConditionStatus.TRUE: "[green]ok[/green]",
    ConditionStatus.FALSE: "[red]no[/red]",
    ConditionStatus.UNKNOWN: "[yellow]? [/yellow]",
}
_OPEN: Final = {
    ConditionStatus.TRUE: "[green]open[/green]",
    ConditionStatus.FALSE: "[red]broken[/red]",
    ConditionStatus.UNKNOWN: "[yellow]unknown[/yellow]",
}


def show_text(planned: Sequence[Planned], skipped: Sequence[Skipped]) -> None:
    """All plans on standard output; documents that are none of ours on standard error."""
    for other in skipped:
        typer.echo(f"Skipped {other.source}: {other.what}", err=True)
    console = Console(soft_wrap=True, highlight=False)
    for one in planned:
        _show(console, one)


def _show(console: Console, one: Planned) -> None:
    declared, made = one.declared, one.forecast
    console.print(f"[bold]{escape(declared.namespace)}/{escape(declared.name)}[/bold]  ({escape(declared.source)})")
    for note in one.notes:
        console.print(f"  [dim]note: {escape(note)}[/dim]")
    for refused in one.violations:
        console.print(f"  [red]not allowed[/red] {escape(refused.message)}")
    if one.violations:
        console.print("  [yellow]Nothing is changed in the cloud until then. Were it allowed, this would be:[/yellow]")
    elif declared.spec.suspend:
        console.print("  [yellow]Suspended: nothing is done until spec.suspend is false. Then this would be:[/yellow]")
    for step in made.steps:
        _show_step(console, step)
    for label, hop in zip(("Network", "Connector", "Redis", "Firewall"), made.now.hops, strict=True):
        console.print(f"  {_MARKS[hop.status]} {label}: {escape(hop.message)} ({hop.reason.value})")
    for name, seen in one.unreadable:
        console.print(f"  [red]unread[/red] {name}: {escape(seen.message)} ({seen.reason.value})")
    _show_prober(console, one)
    if not one.changing:
        all_ok = all(hop.ok for hop in made.now.hops) and not one.unreadable
        console.print("  Nothing would change now." if all_ok else "  Nothing can be done now.")
    _show_outlook(console, one)


def _show_prober(console: Console, one: Planned) -> None:
    """The prober comes last: it leaves by what the steps before it make."""
    if one.released:
        told = f"- delete Cloud Run service {escape(one.released)}, unless another resource needs it"
        console.print(f"  [dim]then[/dim] [red]{told}[/red], because this one needs it no more")
    prober = one.prober
    if prober is None:
        return
    if prober.action is not None:
        sign, colour = _SIGNS.get(prober.action.verb.capitalize(), ("~", "yellow"))
        later = "[dim]then[/dim] " if one.forecast.steps else ""
        what = f"{sign} {escape(prober.action.summary)}"
        console.print(f"  {later}[{colour}]{what}[/{colour}], because {escape(prober.action.why)}")
    elif one.services is None:
        verdict = prober.verdict
        told = prober.trouble or verdict.message
        console.print(f"  {_MARKS[verdict.status]} Prober: {escape(told)} ({verdict.reason.value})")


def _show_step(console: Console, step: Step) -> None:
    action = step.action
    word = next((word for word in _SIGNS if type(action).__name__.startswith(word)), "")
    sign, colour = _SIGNS.get(word, ("~", "yellow"))
    later = "[dim]then[/dim] " if step.round else ""
    console.print(f"  {later}[{colour}]{sign} {escape(action.summary)}[/{colour}], because {escape(action.why)}")
    if isinstance(action, UpdateRule):
        for name, before, after in _changed(action):
            console.print(f"      {name}: [red]{escape(before)}[/red] → [green]{escape(after)}[/green]")
    console.print(f"      risk: {_RISKS[step.risk.level]}: {escape(step.risk.message)}")


def _changed(action: UpdateRule) -> list[tuple[str, str, str]]:
    before, after = rule_fields(action.before), rule_fields(action.rule)
    return [(name, before[name], after[name]) for name in action.fields]


def _show_outlook(console: Console, one: Planned) -> None:
    foreseen = one.outlook
    console.print(f"  Path now: {_OPEN[foreseen.before]}, after this: {_OPEN[foreseen.after]} (as configuration tells)")
    for hop in foreseen.hops:
        before, after = _OPEN[hop.before.status], _OPEN[hop.after.status]
        verdict = f"{before} → {after}" if hop.changes else after
        console.print(f"    {verdict}  {hop.name}: {escape(hop.after.message)}")
    for hop in foreseen.still_broken:
        console.print(f"  Not open then: {hop.name}: {escape(_remedy(hop, one))} ({hop.after.reason.value})")
    if not one.forecast.settled:
        console.print("  [yellow]This plan does not come to rest; please report it.[/yellow]")


def _remedy(hop: Hop, one: Planned) -> str:
    """Why a hop stays as it is and what to do: for the two directions, in the firewall's own words."""
    firewall = one.forecast.then.firewall
    if hop.name in (HopName.EGRESS, HopName.INGRESS) and not firewall.ok:
        return firewall.message
    return hop.after.message


def show_json(planned: Sequence[Planned], skipped: Sequence[Skipped], code: int) -> None:
    """Everything as one JSON object on standard output."""
    whole = {
        "resources": [_resource(one) for one in planned],
        "skipped": [{"source": one.source, "what": one.what} for one in skipped],
        "differences": any(one.changes for one in planned),
        "complete": not any(one.unreadable for one in planned),
        "exitCode": code,
    }
    json.dump(whole, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def _resource(one: Planned) -> dict[str, Any]:
    foreseen = one.outlook
    return {
        "namespace": one.declared.namespace,
        "name": one.declared.name,
        "source": one.declared.source,
        "suspended": one.declared.spec.suspend,
        "ownership": one.identity.ownership.value,
        "notes": list(one.notes),
        "notAllowed": [{"policy": refused.policy, "message": refused.message} for refused in one.violations],
        "changes": one.changes,
        "risk": worst(step.risk for step in one.forecast.steps).value,
        "actions": [_action(step) for step in one.forecast.steps],
        "unreadable": [
            {"what": name, "reason": seen.reason.value, "message": seen.message} for name, seen in one.unreadable
        ],
        "path": {
            "before": foreseen.before.value,
            "after": foreseen.after.value,
            "hops": [
                {"hop": hop.name.value, "before": _verdict(hop.before), "after": _verdict(hop.after)}
                for hop in foreseen.hops
            ],
            "notOpenThen": [
                {"hop": hop.name.value, "reason": hop.after.reason.value, "message": _remedy(hop, one)}
                for hop in foreseen.still_broken
            ],
        },
        "prober": _prober(one),
        "proberReleased": one.released or None,
        "settled": one.forecast.settled,
    }


def _prober(one: Planned) -> dict[str, Any] | None:
    prober = one.prober
    if prober is None:
        return None
    action = prober.action
    return {
        "action": type(action).__name__ if action is not None else None,
        "summary": action.summary if action is not None else None,
        "why": action.why if action is not None else None,
        "verdict": _verdict(prober.verdict),
    }


def _action(step: Step) -> dict[str, Any]:
    action = step.action
    told: dict[str, Any] = {
        "round": step.round,
        "action": type(action).__name__,
        "summary": action.summary,
        "why": action.why,
        "risk": {"level": step.risk.level.value, "message": step.risk.message},
    }
    if isinstance(action, UpdateRule):
        told["fields"] = {name: {"before": before, "after": after} for name, before, after in _changed(action)}
    return told


def _verdict(verdict: Verdict) -> dict[str, str]:
    return {"status": verdict.status.value, "reason": verdict.reason.value, "message": verdict.message}
