"""Constraints on text that are checked here and, by the same expression, at the API server, which say the same."""

from __future__ import annotations

import abc
import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from redis_connectivity.api.base import rule

__all__ = ["Constraint", "Form"]


class Constraint(abc.ABC):
    """Metadata for `Annotated[str, …]`; several may stand behind each other."""

    __slots__ = ()

    @abc.abstractmethod
    def check(self, value: str) -> str:
        """The value, when it is as it should be; else ValueError with a sentence about it."""

    @abc.abstractmethod
    def rule(self) -> dict[str, Any]:
        """The same as a CEL rule."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's protocol
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        made = handler(schema)
        made["x-kubernetes-validations"] = [*made.get("x-kubernetes-validations", []), self.rule()]
        return made


@dataclass(frozen=True, slots=True)
class Form(Constraint):
    """A text's form. A schema's own `pattern` would answer a stranger with a regular expression.

    Attributes:
        pattern: What RE2 and Python read alike, anchored at both ends.
        sentence: What the user reads behind the field and its value: "must be …".
    """

    pattern: str
    sentence: str

    def check(self, value: str) -> str:
        """The value, when it has this form."""
        # Not `match`: in Python `$` also stands before a newline at the end.
        if re.fullmatch(self.pattern, value) is None:
            raise ValueError(f"{value!r} {self.sentence}")
        return value

    def rule(self) -> dict[str, Any]:
        """The same as a CEL rule."""
        return rule(self.matches("self"), self.sentence)

    def matches(self, expression: str) -> str:
        """CEL that says whether what `expression` gives has this form."""
        return f"{expression}.matches(r'{self.pattern}')"
