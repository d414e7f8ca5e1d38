"""How resource models are written: frozen, camelCase on the wire, unknown fields refused."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

GROUP: Final = "redisconnectivity.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "RedisConnectivity"
PLURAL: Final = "redisconnectivities"
SINGULAR: Final = "redisconnectivity"
SHORT_NAME: Final = "rconn"

POLICY_KIND: Final = "RedisConnectivityPolicy"
POLICY_PLURAL: Final = "redisconnectivitypolicies"
POLICY_SINGULAR: Final = "redisconnectivitypolicy"
POLICY_SHORT_NAME: Final = "rconnpolicy"

#: Asks for a reconcile at once, with fresh reads; any new value will do, a timestamp is usual.
RECONCILE_AT: Final = f"{GROUP}/reconcile-at"
#: Holds the resource until what it made in Google Cloud is gone.
FINALIZER: Final = f"{GROUP}/finalizer"

#: A moment: RFC 3339 in UTC with whole seconds.
Time = Annotated[str, StringConstraints(max_length=40), Field(json_schema_extra={"format": "date-time"})]


def rule(expression: str, message: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - CEL rule fields as they are
    """One x-kubernetes-validations entry: `message` is what the user reads when `expression` is false."""
    return {"rule": expression, "message": message, **more}


def problems(error: ValidationError) -> list[str]:
    """What is wrong with a spec, a sentence each: the field as the user wrote it, then what is the matter with it."""
    return [
        f"{'.'.join(str(part) for part in ('spec', *one['loc']))}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]


class Model(BaseModel):
    """Base of every part of the resource."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


def cel(*rules: dict[str, Any]) -> dict[str, Any]:
    """Schema extra that carries CEL rules into the CRD."""
    return {"x-kubernetes-validations": list(rules)}
