"""Fresh namespaces, and their end.

The lab has no controller manager. So nothing empties a deleted namespace (it would stay Terminating for ever),
nothing collects the dependants of a deleted owner, and no `default` service account appears. `purge` does the first
by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redis_connectivity_lab.controlplane.rest import ApiError, RestClient

__all__ = ["create", "purge"]

_NOT_FOUND = 404
_CONFLICT = 409
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def create(client: RestClient, name: str, labels: Mapping[str, str] | None = None) -> None:
    """Makes the namespace; an error when it exists."""
    metadata: dict[str, Any] = {"name": name, "labels": dict(labels or {})}
    client.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def purge(client: RestClient, name: str) -> None:
    """Removes the namespace and all that is in it, finalizers or not; fine when it is not there.

    An operator at work on resources in it loses them without a chance to clean up: let it finish first.
    """
    try:
        client.call("DELETE", f"/api/v1/namespaces/{name}")
    except ApiError as error:
        if error.status == _NOT_FOUND:
            return
        if error.status != _CONFLICT:  # a conflict says that it is Terminating already
            raise
    # From here on nothing new can be made in it, so one round is enough.
    for prefix in _collections(client):
        _empty(client, prefix.format(namespace=name))
    namespace = client.call("GET", f"/api/v1/namespaces/{name}")
    namespace["spec"] = {"finalizers": []}
    client.call("PUT", f"/api/v1/namespaces/{name}/finalize", namespace)


def _collections(client: RestClient) -> Iterator[str]:
    """The path of each namespaced kind of object that can be listed and deleted."""
    for root in ("/api", "/apis"):
        for group in client.call("GET", root, accept=_AGGREGATED)["items"]:
            version = group["versions"][0]
            name = group["metadata"].get("name", "")
            base = f"{root}/{name}/{version['version']}" if name else f"{root}/{version['version']}"
            for resource in version.get("resources", ()):
                if resource["scope"] == "Namespaced" and {"list", "delete"} <= set(resource["verbs"]):
                    yield f"{base}/namespaces/{{namespace}}/{resource['resource']}"


def _empty(client: RestClient, collection: str) -> None:
    items = client.call("GET", collection).get("items") or ()
    for item in items:
        path = f"{collection}/{item['metadata']['name']}"
        try:
            client.call("DELETE", path)
            if item["metadata"].get("finalizers"):
                patch = {"metadata": {"finalizers": None}}
                client.call("PATCH", path, patch, content_type="application/merge-patch+json")
        except ApiError as error:
            if error.status != _NOT_FOUND:  # somebody else's deletion is as good
                raise
