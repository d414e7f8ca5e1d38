"""Reading a JSON body as a message, as proto3 JSON does.

A number may come as a string (a 64-bit one usually does), an enum as a word or a number, null means unset; unknown
names and values of other types are refused before any method runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis_connectivity_lab.emulator.errors import invalid_json
from redis_connectivity_lab.emulator.ids import Json

__all__ = ["EnumOf", "ListOf", "MapOf", "Schema", "parse"]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A repeated field."""

    item: FieldType


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map field, or a message this emulator takes as it comes."""


@dataclass(frozen=True, slots=True)
class EnumOf:
    """An enum that travels as a word or as a number."""

    numbers: Mapping[str, int]


Schema = dict[str, Any]
FieldType = Any  # str | int | float | bool (the types themselves) | Schema | ListOf | MapOf | EnumOf


def parse(body: Json, schema: Schema, where: str = "", *, keep_null: bool = False) -> Json:
    """The body with every value in its canonical type; raises the API's refusal otherwise.

    With `keep_null` a null stays, which a merge patch needs; otherwise it means unset.
    """
    result: Json = {}
    for name, value in body.items():
        path = f"{where}.{name}" if where else name
        if name not in schema:
            at = f" at '{where}'" if where else ""
            raise invalid_json(f'Unknown name "{name}"{at}: Cannot find field.')
        if value is None:
            if keep_null:
                result[name] = None
            continue
        result[name] = _value(value, schema[name], path)
    return result


def _value(value: object, kind: FieldType, path: str) -> object:
    match kind:
        case dict():
            if not isinstance(value, dict):
                raise _mismatch(path, value)
            return parse(value, kind, path)
        case ListOf(item=item):
            if not isinstance(value, list):
                raise _mismatch(path, value)
            return [_value(each, item, f"{path}[{index}]") for index, each in enumerate(value)]
        case MapOf():
            if not isinstance(value, dict):
                raise _mismatch(path, value)
            return value
        case EnumOf(numbers=numbers):
            return _enum(value, numbers, path)
    return _scalar(value, kind, path)


def _enum(value: object, numbers: Mapping[str, int], path: str) -> str:
    for word, number in numbers.items():
        if value == word or (value == number and not isinstance(value, bool)):
            return word
    raise _mismatch(path, value)


def _scalar(value: object, kind: FieldType, path: str) -> object:
    if kind in (int, float) and not isinstance(value, bool):
        try:
            number: float = kind(value)
        except (TypeError, ValueError):
            raise _mismatch(path, value) from None
        # int() would cut 1.5 to 1.
        if isinstance(value, float) and number != value:
            raise _mismatch(path, value)
        return number
    if type(value) is not kind:
        raise _mismatch(path, value)
    return value


def _mismatch(path: str, value: object) -> Exception:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return invalid_json(f"Invalid value at '{path}', {shown}")
