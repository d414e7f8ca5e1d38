"""The CustomResourceDefinitions, generated from the pydantic models.

Kubernetes wants a structural schema: no $ref, no anyOf for "optional", no title. Pydantic writes all three, so they
are folded here; CEL rules ride along in `json_schema_extra`.
"""

from __future__ import annotations

from typing import Any

import yaml

from redis_connectivity.api import base
from redis_connectivity.api.policy import RedisConnectivityPolicySpec
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.api.status import RedisConnectivityStatus

__all__ = ["crd", "crd_files", "crd_yaml", "policy_crd"]

_HEADER = "# Generated from operator/redis_connectivity/api by `redis-connectivity crd`; do not edit.\n"

#: Keywords of JSON schema that a structural schema has no use for.
_DROPPED = frozenset({"title", "additionalProperties", "const"})


def _fold(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """`schema` as a structural schema: references inlined, "or null" removed."""
    if "$ref" in schema:
        target = definitions[str(schema["$ref"]).rsplit("/", 1)[-1]]
        return _fold({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
    if "anyOf" in schema:
        (alternative,) = (one for one in schema["anyOf"] if one.get("type") != "null")
        return _fold({**alternative, **{k: v for k, v in schema.items() if k != "anyOf"}}, definitions)
    folded: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _DROPPED or (key == "default" and value in (None, [], {})):
            continue
        if key == "properties":
            folded[key] = {name: _fold(part, definitions) for name, part in value.items()}
        elif key == "items":
            folded[key] = _fold(value, definitions)
        elif key == "default" and isinstance(value, dict):
            continue  # a whole default object would hide which field a user set
        else:
            folded[key] = value
    if "const" in schema:
        folded["enum"] = [schema["const"]]
    if "description" in folded:
        folded["description"] = " ".join(str(folded["description"]).split())
    return folded


def _schema(model: type[base.Model]) -> dict[str, Any]:
    whole = model.model_json_schema(by_alias=True, mode="validation")
    return _fold({k: v for k, v in whole.items() if k != "$defs"}, whole.get("$defs", {}))


def _column(name: str, path: str, kind: str = "string", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - CRD fields
    return {"name": name, "type": kind, "jsonPath": path, **more}


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition of RedisConnectivity as a dictionary."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{base.PLURAL}.{base.GROUP}"},
        "spec": {
            "group": base.GROUP,
            "names": {
                "kind": base.KIND,
                "listKind": f"{base.KIND}List",
                "plural": base.PLURAL,
                "singular": base.SINGULAR,
                "shortNames": [base.SHORT_NAME],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": base.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        _column("Environment", ".spec.environment"),
                        _column("Network", ".status.network.name"),
                        _column("Connector", ".status.connector.name"),
                        _column("Redis", ".status.redis.host"),
                        _column("Reachable", '.status.conditions[?(@.type=="Reachable")].status'),
                        _column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
                        _column("Reason", '.status.conditions[?(@.type=="Ready")].reason', priority=1),
                        _column("Circuit", ".status.probe.circuit.state", priority=1),
                        _column("Age", ".metadata.creationTimestamp", "date"),
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": "One path from Cloud Run through a VPC connector to Redis.",
                            "required": ["spec"],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": _schema(RedisConnectivitySpec),
                                "status": _schema(RedisConnectivityStatus),
                            },
                        }
                    },
                }
            ],
        },
    }


def policy_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of RedisConnectivityPolicy as a dictionary."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{base.POLICY_PLURAL}.{base.GROUP}"},
        "spec": {
            "group": base.GROUP,
            "names": {
                "kind": base.POLICY_KIND,
                "listKind": f"{base.POLICY_KIND}List",
                "plural": base.POLICY_PLURAL,
                "singular": base.POLICY_SINGULAR,
                "shortNames": [base.POLICY_SHORT_NAME],
            },
            "scope": "Cluster",
            "versions": [
                {
                    "name": base.VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [
                        _column("Namespaces", ".spec.namespaces"),
                        _column("Projects", ".spec.projects"),
                        _column("Networks", ".spec.networks"),
                        _column("Age", ".metadata.creationTimestamp", "date"),
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": "What the RedisConnectivity resources of some namespaces may declare.",
                            "required": ["spec"],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": _schema(RedisConnectivityPolicySpec),
                            },
                        }
                    },
                }
            ],
        },
    }


class _Plain(yaml.SafeDumper):
    """Without anchors: a list that stands twice is written twice, as people and simple parsers expect."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - yaml's signature
        return True


def crd_files() -> dict[str, str]:
    """The CustomResourceDefinitions as they stand in crds/: text by file name."""
    return {f"{one['metadata']['name']}.yaml": _text(one) for one in (crd(), policy_crd())}


def crd_yaml() -> str:
    """All CustomResourceDefinitions in one text."""
    return "---\n".join(crd_files().values())


def _text(definition: dict[str, Any]) -> str:
    return _HEADER + yaml.dump(definition, Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)
