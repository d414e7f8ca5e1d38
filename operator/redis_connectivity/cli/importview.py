"""Imported resources as YAML, with what was found and guessed in comments."""

from __future__ import annotations

from collections.abc import Iterator

import typer
import yaml

from redis_connectivity.api.base import API_VERSION, KIND
from redis_connectivity.api.status import ConditionStatus
from redis_connectivity.core.importing import Imported, Resource

__all__ = ["as_files", "as_text", "tell_left"]

_OPEN = {
    ConditionStatus.TRUE: "open, as far as configuration tells",
    ConditionStatus.FALSE: "broken",
    ConditionStatus.UNKNOWN: "not to be told",
}


def as_text(found: Imported, namespace: str) -> str:
    """All resources as one stream of documents."""
    if not found.resources:
        return "# No path was found.\n"
    return "".join(f"---\n{_document(one, namespace)}" for one in found.resources)


def as_files(found: Imported, namespace: str) -> dict[str, str]:
    """The resources by file name."""
    return {f"{one.name}.yaml": _document(one, namespace) for one in found.resources}


def tell_left(found: Imported) -> None:
    """What no resource was written for, on standard error."""
    for one in found.left:
        typer.echo(" ".join(f"Not imported: {one.what}: {one.why}".split()), err=True)


def _document(one: Resource, namespace: str) -> str:
    body = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": one.name, "namespace": namespace},
        "spec": one.spec,
    }
    comments = "".join(f"# {' '.join(line.split())}\n" for line in _comments(one))
    return comments + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110)


def _comments(one: Resource) -> Iterator[str]:
    yield from (f"Found: {text}." for text in one.found)
    yield from (f"Guessed: {text}." for text in one.guessed)
    yield f"The path is {_OPEN[one.outlook.before]}."
    for hop in one.outlook.hops:
        if not hop.before.ok:
            yield f"  {hop.name}: {hop.before.message}"
    if one.foretold.steps:
        for step in one.foretold.steps:
            yield f"Applying this would {step.action.summary}, because {step.action.why} (risk: {step.risk.message})."
    else:
        yield "Applying this changes nothing in Google Cloud."
    for field, mode in one.spec.get("firewall", {}).items():
        yield f"{field}: {mode}: with Auto, which lets it heal the path, the operator would make a rule of its own."
