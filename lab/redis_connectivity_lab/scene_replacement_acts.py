"""How a scene asks for a connector that only a replacement could bring, while somebody needs the old one."""

from __future__ import annotations

import json
from typing import Final

from redis_connectivity_lab.site import Site
from redis_connectivity_lab.wound import Wound

__all__ = ["replacement_shared"]

_NEIGHBOUR: Final = "neighbour"
_OTHER_RANGE: Final = "10.2.9.0/28"


def replacement_shared(site: Site) -> Wound:
    """Another range is declared for a connector that a second resource uses as it is."""
    env = site.env
    neighbour = env.manifest(site.cloud.url)
    neighbour["metadata"]["name"] = _NEIGHBOUR
    site.cluster("apply", "-f", "-", stdin=json.dumps(neighbour))
    site.cluster("wait", "rconn", _NEIGHBOUR, "-n", env.namespace, "--for=condition=ConnectorReady", "--timeout=90s")
    site.patch(connector={"ipCidrRange": _OTHER_RANGE, "replacement": "Recreate"})

    def undo() -> None:
        site.patch(connector={"ipCidrRange": env.connector_range, "replacement": None})
        site.cluster("delete", "rconn", _NEIGHBOUR, "-n", env.namespace, "--timeout=90s")

    return Wound(
        f"declared {_OTHER_RANGE} with replacement: Recreate for connector {env.connector}, which resource"
        f" {_NEIGHBOUR} uses too",
        "ConnectorReady turns False and names who uses it; traffic still passes",
        lambda: site.declared()["connector"]["ipCidrRange"] == _OTHER_RANGE,
        undo,
    )
