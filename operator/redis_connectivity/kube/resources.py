"""The resources as the Kubernetes client knows them."""

from __future__ import annotations

from typing import Any, Final

from lightkube.generic_resource import create_global_resource, create_namespaced_resource

from redis_connectivity.api.base import GROUP, KIND, PLURAL, POLICY_KIND, POLICY_PLURAL, VERSION

__all__ = ["FIELD_MANAGER", "Body", "Connectivity", "ConnectivityPolicy"]

#: Who owns the fields that we apply.
FIELD_MANAGER: Final = "redis-connectivity"

#: An object as the API server sends it.
Body = dict[str, Any]

Connectivity = create_namespaced_resource(GROUP, VERSION, KIND, PLURAL)
ConnectivityPolicy = create_global_resource(GROUP, VERSION, POLICY_KIND, POLICY_PLURAL)
