"""Forms of fields that several parts of the spec share."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from redis_connectivity.api import limits
from redis_connectivity.api.base import cel, rule
from redis_connectivity.api.form import Form

__all__ = [
    "ADDRESS_MAX",
    "IS_MACHINE",
    "LABEL",
    "ComputeName",
    "MachineAddress",
    "Port",
    "ProjectId",
    "ServiceAccount",
    "check_machine",
]

#: Greatest length of an address or range: long enough that a wrong one is told what is wrong, not that it is long.
ADDRESS_MAX: Final = 253

#: What names may be made of, for sentences.
LABEL: Final = "characters of a-z, 0-9 and '-', starting with a letter and not ending with '-'"

ComputeName = Annotated[
    str,
    StringConstraints(max_length=limits.COMPUTE_NAME_MAX),
    Form(limits.COMPUTE_NAME_PATTERN, f"must be 1 to 63 {LABEL}"),
]
ProjectId = Annotated[
    str,
    StringConstraints(max_length=limits.PROJECT_ID_MAX),
    Form(limits.PROJECT_ID_PATTERN, f"must be a project's id (not its number or title): 6 to 30 {LABEL}"),
]
ServiceAccount = Annotated[
    str,
    StringConstraints(max_length=limits.SERVICE_ACCOUNT_MAX),
    Form(
        limits.SERVICE_ACCOUNT_PATTERN,
        "must be a service account's e-mail, such as redis@my-project.iam.gserviceaccount.com",
    ),
]
Port = Annotated[int, Field(strict=True, ge=limits.PORT[0], le=limits.PORT[1])]

#: What an address of a machine is, as CEL says it.
IS_MACHINE: Final = "ip(self).isGlobalUnicast() && !ip(self).isLoopback()"

#: A machine's IPv4 address. The field's validator is `check_machine`.
MachineAddress = Annotated[
    str,
    StringConstraints(max_length=ADDRESS_MAX),
    Field(
        json_schema_extra=cel(
            rule("isIP(self) && ip(self).family() == 4", "host must be an IPv4 address such as 10.128.0.5"),
            rule(
                f"!isIP(self) || ({IS_MACHINE})",
                "host must be the address of a machine: not loopback, link-local, multicast or 0.0.0.0",
            ),
        )
    ),
]


def check_machine(value: str) -> str:
    """The address, when a machine can have it; else ValueError with a sentence about it."""
    try:
        address = IPv4Address(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not an IPv4 address such as 10.128.0.5") from error
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        raise ValueError(f"{value} is not a machine's address: not loopback, link-local, multicast or 0.0.0.0")
    if address == IPv4Address("255.255.255.255"):
        raise ValueError(f"{value} is the broadcast address")
    return value
