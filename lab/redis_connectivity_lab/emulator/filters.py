"""The filter language of Compute's lists.

Two dialects that must not be mixed (Compute API, `filter` parameter): AIP-160 (`name = x AND priority > 900`, `:` for
"has", AND binds closer than OR there is none before), and regular expressions (`name eq "^a.*"`, `ne`), which must
match the whole value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.ids import Json

__all__ = ["compile_filter"]

Predicate = Callable[[Json], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])|(?P<op><=|>=|!=|=|<|>|:)|"(?P<dq>(?:[^"\\]|\\.)*)"|'(?P<sq>(?:[^'\\]|\\.)*)'"""
    r"""|(?P<word>[^\s()<>=!:"']+))"""
)
_WORD_OPERATORS = {"eq", "ne"}
_SYMBOLS = {"=", "!=", "<", ">", "<=", ">=", ":"}


def _invalid(text: str, why: str) -> ApiError:
    return ApiError(400, f"Invalid value for field 'filter': '{text}'. Invalid list filter expression. {why}".rstrip())


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise _invalid(text, "")
        at = match.end()
        for kind in ("paren", "op", "word"):
            if match[kind] is not None:
                found.append((kind, match[kind]))
                break
        else:
            quoted = match["dq"] if match["dq"] is not None else match["sq"]
            found.append(("text", re.sub(r"\\([\"'])", r"\1", quoted)))
    return found


class _Parser:
    """Recursive descent: or → and → not → comparison."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0
        self._dialects: set[str] = set()

    def parse(self) -> Predicate:
        predicate = self._or()
        if self._at < len(self._tokens):
            raise _invalid(self._text, "")
        if len(self._dialects) > 1:
            raise _invalid(self._text, "Regular expressions and comparisons cannot be combined.")
        return predicate

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _or(self) -> Predicate:
        parts = [self._and()]
        while self._peek() == ("word", "OR"):
            self._next()
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)

    def _and(self) -> Predicate:
        parts = [self._not()]
        while self._peek() not in {("end", ""), ("paren", ")"), ("word", "OR")}:
            if self._peek() == ("word", "AND"):
                self._next()
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)

    def _not(self) -> Predicate:
        if self._peek() == ("word", "NOT"):
            self._next()
            inner = self._not()
            return lambda item: not inner(item)
        if self._peek() == ("paren", "("):
            self._next()
            inner = self._or()
            if self._next() != ("paren", ")"):
                raise _invalid(self._text, "")
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        kind, field = self._next()
        _, operator = self._next()
        value_kind, value = self._next()
        if kind != "word" or operator not in _SYMBOLS | _WORD_OPERATORS or value_kind not in {"word", "text"}:
            raise _invalid(self._text, "")
        self._dialects.add("regex" if operator in _WORD_OPERATORS else "aip")
        return (
            _regex(self._text, field, operator, value)
            if operator in _WORD_OPERATORS
            else _compare(field, operator, value)
        )


def _values(item: Json, field: str) -> list[Any]:
    """The values at a dotted path; a list on the way stands for each of its items."""
    values: list[Any] = [item]
    for part in field.split("."):
        flat: list[Any] = []
        for value in values:
            if isinstance(value, dict) and part in value:
                inner = value[part]
                flat += inner if isinstance(inner, list) else [inner]
        values = flat
    return values


def _text_of(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _regex(text: str, field: str, operator: str, value: str) -> Predicate:
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise _invalid(text, str(error)) from error
    wanted = operator == "eq"
    return lambda item: any(pattern.fullmatch(_text_of(each)) for each in _values(item, field)) is wanted


def _compare(field: str, operator: str, value: str) -> Predicate:
    def equal(item: Json) -> bool:
        return any(_text_of(each) == value for each in _values(item, field))

    if operator == "=":
        return equal
    if operator == "!=":
        return lambda item: not equal(item)
    if operator == ":":
        if value == "*":
            return lambda item: bool(_values(item, field))
        return lambda item: any(value.lower() in _text_of(each).lower() for each in _values(item, field))
    return lambda item: any(_ordered(_text_of(each), operator, value) for each in _values(item, field))


def _ordered(left: str, operator: str, right: str) -> bool:
    pair: tuple[Any, Any] = (left, right)
    if left.lstrip("-").isdigit() and right.lstrip("-").isdigit():
        pair = (int(left), int(right))
    first, second = pair
    match operator:
        case "<":
            return bool(first < second)
        case ">":
            return bool(first > second)
        case "<=":
            return bool(first <= second)
        case _:
            return bool(first >= second)


@lru_cache(maxsize=256)
def compile_filter(text: str) -> Predicate:
    """A function that tells whether a resource passes the filter; raises Compute's 400 for one it cannot read."""
    return _Parser(text).parse()
