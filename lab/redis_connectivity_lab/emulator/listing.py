"""Compute's lists: filter, orderBy, maxResults, pageToken.

Compute API, "list" parameters: `orderBy` is `name` or `creationTimestamp desc`; `maxResults` 0-500, default 500.
Filters: see the filters module.
"""

from __future__ import annotations

import base64
import binascii
import json

from redis_connectivity_lab.emulator.call import COMPUTE, Call
from redis_connectivity_lab.emulator.errors import invalid_field
from redis_connectivity_lab.emulator.filters import compile_filter
from redis_connectivity_lab.emulator.ids import Json

__all__ = ["aggregated", "page_of", "read_token", "select", "write_token"]

_MAX_RESULTS = 500


def write_token(position: object) -> str:
    """An opaque page token that remembers a position."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def read_token(token: str) -> object:
    """The position in a page token; raises 400 for what never was one."""
    try:
        position: object = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError) as error:
        raise invalid_field("pageToken", token, "The page token is invalid.") from error
    return position


def select(call: Call, items: list[Json], *, sort: bool = True) -> tuple[list[Json], str | None]:
    """The page of `items` that the call asks for, and the token of the next page."""
    limit = call.integer("maxResults", _MAX_RESULTS, 0, _MAX_RESULTS)
    order = call.query.get("orderBy", "")
    if order not in {"", "name", "creationTimestamp desc"}:
        raise invalid_field("orderBy", order, "Sorting by name or creationTimestamp desc is supported.")
    if text := call.query.get("filter", ""):
        predicate = compile_filter(text)
        items = [item for item in items if predicate(item)]
    if order == "creationTimestamp desc":
        items = sorted(items, key=lambda item: (str(item.get("creationTimestamp", "")), int(item["id"])), reverse=True)
    elif sort or order == "name":
        items = sorted(items, key=lambda item: str(item.get("name", "")))
    start = 0
    if token := call.query.get("pageToken", ""):
        position = read_token(token)
        # A page goes on after the last name shown, so that a list that changes in between repeats and skips nothing.
        if not isinstance(position, list) or len(position) != 3 or position[0] != order:
            raise invalid_field("pageToken", token, "The page token is invalid.")
        start = _position_after(items, str(position[1]), order, int(position[2]), sort=sort)
    if limit == 0:
        return [], None
    page = items[start : start + limit]
    more = len(items) > start + limit
    return page, write_token([order, str(page[-1].get("name", "")), start + limit]) if more else None


def _position_after(items: list[Json], name: str, order: str, fallback: int, *, sort: bool) -> int:
    if order == "creationTimestamp desc" or not (sort or order == "name"):
        at = next((index for index, item in enumerate(items) if item.get("name") == name), None)
        return fallback if at is None else at + 1
    return next((index for index, item in enumerate(items) if str(item.get("name", "")) > name), len(items))


def page_of(call: Call, kind: str, path: str, items: list[Json], *, sort: bool = True) -> Json:
    """A list answer, without `items` where there are none, as Compute gives it."""
    page, token = select(call, items, sort=sort)
    answer: Json = {"kind": kind, "id": path, "selfLink": COMPUTE + path}
    if page:
        answer["items"] = page
    if token:
        answer["nextPageToken"] = token
    return answer


def aggregated(call: Call, kind: str, path: str, field: str, scopes: dict[str, list[Json]]) -> Json:
    """An aggregated list: items by scope (`regions/R`, `zones/Z`), with Google's warning for an empty scope."""
    flat = [item | {"__scope": scope} for scope, items in scopes.items() for item in items]
    page, token = select(call, flat)
    result: Json = {}
    for item in page:
        result.setdefault(item.pop("__scope"), {}).setdefault(field, []).append(item)
    for scope in scopes:
        if scope not in result:
            result[scope] = {
                "warning": {
                    "code": "NO_RESULTS_ON_PAGE",
                    "data": [{"key": "scope", "value": scope}],
                    "message": f"There are no results for scope '{scope}' on this page.",
                }
            }
    answer: Json = {"kind": kind, "id": path, "selfLink": COMPUTE + path, "items": result}
    if token:
        answer["nextPageToken"] = token
    return answer
