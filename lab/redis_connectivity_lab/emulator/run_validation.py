"""What Cloud Run refuses at once, and the defaults it fills in. Source: run v2 API description, but where noted."""

from __future__ import annotations

import re
from typing import Final

from redis_connectivity_lab.emulator.errors import ApiError, invalid_argument
from redis_connectivity_lab.emulator.ids import Json

__all__ = ["check_id", "normalise", "patched", "without_output"]

#: `service_id`: begins with a letter, does not end with a hyphen, fewer than 50 characters.
_ID: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,47}[a-z0-9])?")
_IMAGE: Final = re.compile(r"[a-z0-9](?:[a-z0-9._/:-]*[a-z0-9])?(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?")
_LABEL_KEY: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE: Final = re.compile(r"[a-z0-9_-]{0,63}")
_CONNECTOR: Final = re.compile(r"projects/([^/]+)/locations/([^/]+)/connectors/([^/]+)")
_MASKED: Final = {
    "annotations",
    "customAudiences",
    "description",
    "ingress",
    "invokerIamDisabled",
    "labels",
    "launchStage",
    "scaling",
    "template",
    "traffic",
}


def check_id(service_id: str) -> str:
    """A new service's id; raises the API's 400."""
    if not _ID.fullmatch(service_id):
        raise invalid_argument(
            f"Violation in CreateServiceRequest.service_id: {service_id!r} must begin with a letter, hold only "
            "lower-case letters, digits and hyphens, not end with a hyphen, and have fewer than 50 characters."
        )
    return service_id


def without_output(body: Json) -> Json:
    """The fields that a caller may set; output fields in a request are passed over, as the API does."""
    return {name: value for name, value in body.items() if name in _MASKED}


def patched(old: Json, body: Json, mask: list[str]) -> Json:
    """The service's settable fields after a patch; without a mask all of them are the body's."""
    given = without_output(body)
    if not mask:
        return given
    new = without_output(old)
    for path in mask:
        head, _, rest = path.partition(".")
        if head not in _MASKED:
            raise invalid_argument(f"Violation in UpdateServiceRequest.update_mask: {path} cannot be updated.")
        if rest:
            new[head] = _along(dict(new.get(head) or {}), given.get(head) or {}, rest)
        elif head in given:
            new[head] = given[head]
        else:
            new.pop(head, None)
    return new


def _along(old: Json, given: Json, path: str) -> Json:
    head, _, rest = path.partition(".")
    if rest:
        return old | {head: _along(dict(old.get(head) or {}), given.get(head) or {}, rest)}
    return old | {head: given[head]} if head in given else {key: value for key, value in old.items() if key != head}


def normalise(body: Json, region: str, number: str, request: str) -> Json:
    """The settable fields with Google's defaults; raises the API's 400s. `request` is the message's name."""
    where = f"Violation in {request}.service"
    template = dict(body.get("template") or {})
    containers = template.get("containers") or []
    if len(containers) != 1:
        raise invalid_argument(f"{where}.template.containers: exactly one container is supported here.")
    image = containers[0].get("image", "")
    if not _IMAGE.fullmatch(image):
        # The text that people quote from Cloud Run.
        raise invalid_argument(
            f"{where}.template.containers[0].image: Expected an image path like [host/]repo-path[:tag and/or @digest], "
            f"but obtained {image!r}"
        )
    for key, value in (body.get("labels") or {}).items():
        if not _LABEL_KEY.fullmatch(key) or not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            raise invalid_argument(f"{where}.labels: {key}={value!r} is no valid label.")
    access = template.get("vpcAccess")
    if access is not None:
        template["vpcAccess"] = _way_out(access, region, where)
    container = {
        "ports": [{"name": "http1", "containerPort": 8080}],
        "resources": {"limits": {"cpu": "1000m", "memory": "512Mi"}, "cpuIdle": True, "startupCpuBoost": True},
    } | containers[0]
    template = {
        "maxInstanceRequestConcurrency": 80,
        "serviceAccount": f"{number}-compute@developer.gserviceaccount.com",
        "timeout": "300s",
    } | template
    template["containers"] = [container]
    return {
        "ingress": "INGRESS_TRAFFIC_ALL",
        "launchStage": "GA",
        "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
    } | (body | {"template": template})


def _way_out(access: Json, region: str, where: str) -> Json:
    connector, interfaces = access.get("connector"), access.get("networkInterfaces") or []
    if bool(connector) == bool(interfaces):
        # google-cloud-node#4731
        raise invalid_argument(
            f"{where}.template.vpc_access.connector: one and only one of connector and network_interfaces must be set."
        )
    if connector:
        named = _CONNECTOR.fullmatch(connector)
        if named is None:
            raise invalid_argument(
                f"{where}.template.vpc_access.connector: {connector} must be "
                "projects/{project}/locations/{location}/connectors/{connector}."
            )
        if named[2] != region:
            raise invalid_argument(
                f"{where}.template.vpc_access.connector: the connector must be in the service's region {region}."
            )
    elif len(interfaces) != 1:
        raise invalid_argument(f"{where}.template.vpc_access.network_interfaces: only one interface is supported.")
    elif not interfaces[0].get("network") and not interfaces[0].get("subnetwork"):
        raise ApiError(400, f"{where}.template.vpc_access.network_interfaces: network or subnetwork must be set.")
    return {"egress": "PRIVATE_RANGES_ONLY"} | {
        key: value for key, value in access.items() if value != "VPC_EGRESS_UNSPECIFIED"
    }
