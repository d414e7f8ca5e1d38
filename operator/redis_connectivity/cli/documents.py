"""Resources from YAML files as people and pipelines hand them over: several documents, lists, other kinds between."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from redis_connectivity.api.base import API_VERSION, KIND, POLICY_KIND, problems
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.cli.errors import fail
from redis_connectivity.core.guardrails import Policy, policy_of

__all__ = ["Declared", "Documents", "Skipped", "read_documents"]

#: As file name: standard input.
_STDIN: Final = Path("-")


@dataclass(frozen=True, slots=True)
class Declared:
    """One resource, and where it stands."""

    source: str
    namespace: str
    name: str
    spec: RedisConnectivitySpec


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that is none of ours."""

    source: str
    what: str


@dataclass(frozen=True, slots=True)
class Documents:
    """What some files hold."""

    declared: tuple[Declared, ...]
    skipped: tuple[Skipped, ...]
    policies: tuple[Policy, ...] = ()


def read_documents(files: list[Path], namespace: str) -> Documents:
    """All resources and policies of the files; ends the command where one cannot be read or is not valid.

    Args:
        files: `-` is standard input.
        namespace: Of resources that name none.
    """
    declared: list[Declared] = []
    skipped: list[Skipped] = []
    policies: list[Policy] = []
    complaints: list[str] = []
    for file in files:
        for source, document in _documents(file):
            if isinstance(document, dict) and document.get("kind") == POLICY_KIND:
                policy = _policy(source, document)
                if isinstance(policy, str):
                    complaints.append(policy)
                else:
                    policies.append(policy)
                continue
            if not isinstance(document, dict) or document.get("kind") != KIND:
                skipped.append(Skipped(source, _kind(document)))
                continue
            one = _declared(source, document, namespace)
            if isinstance(one, str):
                complaints.append(one)
            else:
                declared.append(one)
    if complaints:
        fail("\n".join(complaints))
    return Documents(tuple(declared), tuple(skipped), tuple(policies))


def _kind(document: object) -> str:
    if not isinstance(document, dict) or not document.get("kind"):
        return "not a Kubernetes resource"
    metadata = document.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    return f"{document['kind']} {name}".rstrip()


def _documents(file: Path) -> Iterator[tuple[str, Any]]:
    """Every document with its place; the items of a `kind: List` (as kubectl prints them) one by one."""
    shown = "standard input" if file == _STDIN else str(file)
    try:
        text = sys.stdin.read() if file == _STDIN else file.read_text(encoding="utf-8")
        documents = list(yaml.safe_load_all(text))
    except OSError as error:
        fail(f"cannot read {shown}: {error.strerror}")
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fail(f"{shown} is not YAML: {' '.join(str(error).split())}")
    for number, document in enumerate(documents, start=1):
        source = f"{shown} (document {number})"
        if document is None:
            continue
        items = document.get("items") if isinstance(document, dict) else None
        if isinstance(items, list) and document.get("kind") in ("List", f"{KIND}List"):
            yield from ((f"{shown} (document {number}, item {at})", item) for at, item in enumerate(items, start=1))
        else:
            yield source, document


def _metadata(source: str, document: dict[str, Any]) -> dict[str, Any] | str:
    """The metadata of an object of ours, with a name; or what is wrong with it."""
    if document.get("apiVersion") != API_VERSION:
        return f"{source}: apiVersion is {document.get('apiVersion')!r}, this operator knows {API_VERSION}"
    metadata = document.get("metadata") or {}
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return f"{source}: metadata.name is missing"
    return metadata


def _policy(source: str, document: dict[str, Any]) -> Policy | str:
    """The policy, or what is wrong with it."""
    metadata = _metadata(source, document)
    if isinstance(metadata, str):
        return metadata
    policy = policy_of(metadata["name"], document)
    return f"{source}: {POLICY_KIND} {policy.name} is not valid: {policy.problem}" if policy.problem else policy


def _declared(source: str, document: dict[str, Any], namespace: str) -> Declared | str:
    """The resource, or what is wrong with it."""
    metadata = _metadata(source, document)
    if isinstance(metadata, str):
        return metadata
    try:
        spec = RedisConnectivitySpec.model_validate(document.get("spec") or {})
    except ValidationError as error:
        return "\n  ".join([f"{source}: {metadata['name']} is not valid:", *problems(error)])
    return Declared(source, str(metadata.get("namespace") or namespace), metadata["name"], spec)
