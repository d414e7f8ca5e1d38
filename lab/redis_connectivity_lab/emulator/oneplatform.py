"""What the one-platform APIs have in common on the wire: enums as numbers on request, pages, names in the path."""

from __future__ import annotations

from typing import Any

from redis_connectivity_lab.emulator.call import Call
from redis_connectivity_lab.emulator.errors import ApiError, invalid_argument
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.listing import read_token, write_token
from redis_connectivity_lab.emulator.schema import CONNECTOR, REDIS_INSTANCE, EnumOf, ListOf
from redis_connectivity_lab.emulator.schema_psc import REDIS_CLUSTER, VALKEY_INSTANCE
from redis_connectivity_lab.emulator.schema_run import RUN_SERVICE
from redis_connectivity_lab.emulator.schema_tests import CONNECTIVITY_TEST

__all__ = ["encode_enums", "field_mask", "page", "resource_answer"]

_SCHEMAS: dict[str, Json] = {
    "vpcaccess.connectors": CONNECTOR,
    "redis.instances": REDIS_INSTANCE,
    "redis.clusters": REDIS_CLUSTER,
    "memorystore.instances": VALKEY_INSTANCE,
    "run.services": RUN_SERVICE,
    "networkmanagement.connectivitytests": CONNECTIVITY_TEST,
}
_MAX_PAGE = 1000


def encode_enums(resource: Json, collection: str) -> Json:
    """The resource with its enums as numbers, which `$alt=json;enum-encoding=int` asks for (recorded for redis)."""
    return _encode(resource, _SCHEMAS[collection])


def _encode(resource: Json, schema: Json) -> Json:
    result: Json = {}
    for name, value in resource.items():
        kind: Any = schema.get(name)
        if isinstance(kind, EnumOf):
            result[name] = kind.numbers[value]
        elif isinstance(kind, dict) and isinstance(value, dict):
            result[name] = _encode(value, kind)
        elif isinstance(kind, ListOf) and isinstance(kind.item, dict):
            result[name] = [_encode(each, kind.item) for each in value]
        else:
            result[name] = value
    return result


def resource_answer(call: Call, resource: Json) -> Json:
    """A resource in the encoding that the caller wants."""
    return encode_enums(resource, call.method.collection) if call.enums_as_numbers else resource


def page(call: Call, field: str, items: list[Json]) -> Json:
    """A list answer: `pageSize`, `pageToken`, `nextPageToken`."""
    text = call.query.get("pageSize", "")
    if text and not text.isdigit():
        raise invalid_argument(f"Invalid value at 'page_size' (TYPE_INT32), \"{text}\"")
    size = min(int(text or 0) or _MAX_PAGE, _MAX_PAGE)
    start = 0
    if token := call.query.get("pageToken", ""):
        try:
            position = read_token(token)
        except ApiError as error:
            raise invalid_argument("The page token is invalid.") from error
        if not isinstance(position, int) or position < 0:
            raise invalid_argument("The page token is invalid.")
        start = position
    answer: Json = {}
    if shown := items[start : start + size]:
        answer[field] = shown
    if len(items) > start + size:
        answer["nextPageToken"] = write_token(start + size)
    return answer


def field_mask(call: Call) -> list[str]:
    """The paths of `updateMask`, camelCase whichever way they came; empty when there is no mask."""
    paths = []
    for path in filter(None, (part.strip() for part in call.query.get("updateMask", "").split(","))):
        head, *rest = path.split("_")
        paths.append(head + "".join(part.capitalize() for part in rest))
    return paths
