"""Cloud Logging's entries.list over the Admin Activity audit log: who wrote to firewall rules and connectors.

The log is what the emulator noted of calls and of changes through the control endpoints, in the shape of a LogEntry
with a `protoPayload` (Google's pages on LogEntry and AuditLog). Of the query language a conjunction of comparisons is
understood; anything else is refused, as a wrong answer would be worse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from redis_connectivity_lab.emulator.audit import AuditRecord
from redis_connectivity_lab.emulator.call import Call, Method
from redis_connectivity_lab.emulator.errors import invalid_argument
from redis_connectivity_lab.emulator.ids import Json

__all__ = ["methods"]

_LIST: Final = "logging.logEntries.list"
_COMPARISON: Final = re.compile(r'\s*([A-Za-z_.]+)\s*(=|>=|<=|>|<)\s*"([^"]*)"\s*')
_MAX_PAGE: Final = 1000

#: The control endpoints' verbs, as a person's call would be logged.
_BY_HAND: Final = {
    "lab.firewalls.put": "compute.firewalls.insert",
    "lab.firewalls.patch": "compute.firewalls.patch",
    "lab.firewalls.delete": "compute.firewalls.delete",
    "lab.connectors.put": "vpcaccess.connectors.create",
    "lab.connectors.patch": "vpcaccess.connectors.patch",
    "lab.connectors.delete": "vpcaccess.connectors.delete",
}
_CONNECTOR_METHODS: Final = {
    "create": "google.cloud.vpcaccess.v1.VpcAccessService.CreateConnector",
    "patch": "google.cloud.vpcaccess.v1.VpcAccessService.UpdateConnector",
    "delete": "google.cloud.vpcaccess.v1.VpcAccessService.DeleteConnector",
}
_TYPES: Final = {"compute.firewalls": "gce_firewall_rule", "vpcaccess.connectors": "audited_resource"}


def methods() -> list[Method]:
    """The emulated methods of Cloud Logging."""
    return [
        Method(
            "logging.entries.list",
            "POST",
            "/v2/entries:list",
            _list,
            permission=_LIST,
            resource=lambda call: f"projects/{call.project.id}",
            project=_project,
        )
    ]


def _project(call: Call) -> str:
    """The one project that is asked about; several are not emulated."""
    names = call.body().get("resourceNames")
    if not isinstance(names, list) or len(names) != 1 or not str(names[0]).startswith("projects/"):
        raise invalid_argument("resourceNames must be one of the form projects/PROJECT_ID here.")
    return str(names[0]).removeprefix("projects/")


async def _list(call: Call) -> Json:
    body = call.body()
    if unknown := set(body) - {"resourceNames", "filter", "orderBy", "pageSize", "pageToken"}:
        raise invalid_argument(f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.')
    order = body.get("orderBy", "timestamp asc")
    if order not in ("timestamp asc", "timestamp desc"):
        raise invalid_argument(f"Invalid orderBy: {order}")
    size = body.get("pageSize", 50)
    if not isinstance(size, int) or not 0 < size <= _MAX_PAGE:
        raise invalid_argument("page_size must be between 1 and 1000")
    wanted = _filter(str(body.get("filter", "")))
    entries = [
        entry
        for record in call.world.audit.records(project=call.project.id)
        if (entry := _entry(record)) is not None and wanted(entry)
    ]
    if order == "timestamp desc":
        entries.reverse()
    return {"entries": entries[:size]} if entries else {}


def _filter(text: str) -> Callable[[Json], bool]:
    comparisons = []
    for part in text.split(" AND ") if text else ():
        match = _COMPARISON.fullmatch(part)
        if match is None:
            raise invalid_argument(f"Unparseable filter: {part}")
        comparisons.append(match.groups())
    return lambda entry: all(_holds(entry, *one) for one in comparisons)


def _holds(entry: Json, path: str, operator: str, value: str) -> bool:
    found: object = entry
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if found is None:
        return False
    if operator == "=":
        return found == value
    if path != "timestamp":
        raise invalid_argument(f"{operator} is understood for timestamp only")
    try:
        limit, at = datetime.fromisoformat(value), datetime.fromisoformat(str(found))
    except ValueError as error:
        raise invalid_argument(f"Invalid timestamp: {value}") from error
    return {">=": at >= limit, "<=": at <= limit, ">": at > limit, "<": at < limit}[operator]


def _entry(record: AuditRecord) -> Json | None:
    """A call as its LogEntry; None for reads and for what is not logged here."""
    method, resource = record.method, record.resource
    if record.kind == "lab":
        method = _BY_HAND.get(method, "")
        resource = _by_hand(method, resource)
    elif record.kind != "write":
        return None
    kind, _, verb = method.rpartition(".")
    if kind not in _TYPES:
        return None
    compute = kind == "compute.firewalls"
    status: Json = {} if record.status == 200 else {"code": 7 if record.status == 403 else 13}
    return {
        "logName": f"projects/{record.project}/logs/cloudaudit.googleapis.com%2Factivity",
        "insertId": f"-{record.seq:x}",
        "timestamp": record.time,
        "receiveTimestamp": record.time,
        "severity": "ERROR" if status else "NOTICE",
        "resource": {"type": _TYPES[kind], "labels": {"project_id": record.project}},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "status": status,
            "authenticationInfo": {"principalEmail": record.principal},
            "requestMetadata": {"callerIp": "127.0.0.1", "callerSuppliedUserAgent": "", "requestAttributes": {}},
            "serviceName": "compute.googleapis.com" if compute else "vpcaccess.googleapis.com",
            "methodName": f"v1.{method}" if compute else _CONNECTOR_METHODS[verb],
            "resourceName": resource,
        },
    }


def _by_hand(method: str, resource: str) -> str:
    """The resource of a change through the control endpoints, as the API would name it."""
    parts = resource.split("/")
    if method.startswith("compute.firewalls") and len(parts) == 4:
        return f"projects/{parts[1]}/global/firewalls/{parts[3]}"
    if method.startswith("vpcaccess.connectors") and len(parts) == 5:
        return f"projects/{parts[1]}/locations/{parts[3]}/connectors/{parts[4]}"
    return resource
