"""Trouble on demand: refusals, resets, delays, operations that stall or fail, answers that get lost."""

from __future__ import annotations

import asyncio
import enum
import itertools
import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from redis_connectivity_lab.emulator.errors import OperationFailure
from redis_connectivity_lab.emulator.ids import Json

__all__ = ["Fault", "FaultKind", "Faults", "befall_operation"]


class FaultKind(enum.StrEnum):
    """What goes wrong."""

    #: Answer with `status` (and Compute's `reason`, `message`) without doing anything.
    STATUS = "status"
    #: Cut the connection without doing anything.
    RESET = "reset"
    #: Answer `delay` seconds late.
    DELAY = "delay"
    #: The operation never ends while the fault is there.
    STALL_OPERATION = "stall_operation"
    #: The operation fails with `code` and `message`.
    FAIL_OPERATION = "fail_operation"
    #: Do the work, then cut the connection: the caller cannot know that it was done.
    DROP_ANSWER = "drop_answer"


@dataclass(slots=True, eq=False)
class Fault:
    """One fault. `method`, `project` and `resource` are glob patterns; `count` calls are hit, or all when None."""

    kind: FaultKind
    method: str = "*"
    project: str = "*"
    resource: str = "*"
    status: int = 503
    reason: str | None = None
    message: str = "The service is currently unavailable."
    delay: float = 0.0
    code: int | str | None = None
    count: int | None = None
    probability: float = 1.0
    id: str = ""
    hits: int = 0
    #: Set once the fault is removed; stalled operations wait for it.
    removed: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def from_json(cls, body: Json) -> Fault:
        """A fault from a control request; raises ValueError or TypeError for what makes no sense."""
        values: dict[str, Any] = dict(body)
        kind = FaultKind(values.pop("kind", FaultKind.STATUS))
        allowed = {
            "method",
            "project",
            "resource",
            "status",
            "reason",
            "message",
            "delay",
            "code",
            "count",
            "probability",
        }
        if unknown := set(values) - allowed:
            raise ValueError(f"unknown fields {sorted(unknown)}; there are {sorted(allowed)} and kind")
        fault = cls(kind=kind, **values)
        if not 0 < fault.probability <= 1:
            raise ValueError("probability is a number in (0, 1]")
        if fault.count is not None and fault.count < 1:
            raise ValueError("count is at least 1")
        return fault

    def to_json(self) -> Json:
        """The fault as the control endpoint shows it."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "method": self.method,
            "project": self.project,
            "resource": self.resource,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "delay": self.delay,
            "code": self.code,
            "count": self.count,
            "probability": self.probability,
            "hits": self.hits,
        }

    def matches(self, method: str, project: str, resource: str) -> bool:
        """Whether the call is one this fault is meant for."""
        if self.count is not None and self.hits >= self.count:
            return False
        return (
            fnmatchcase(method, self.method)
            and fnmatchcase(project, self.project)
            and fnmatchcase(resource, self.resource)
        )


async def befall_operation(faults: tuple[Fault, ...], default_code: int | str) -> None:
    """Let faults do to an operation what they are for: hold it, or make it fail."""
    for fault in faults:
        if fault.kind is FaultKind.STALL_OPERATION:
            await fault.removed.wait()
        elif fault.kind is FaultKind.FAIL_OPERATION:
            raise OperationFailure(fault.code if fault.code is not None else default_code, fault.message, fault.status)


class Faults:
    """The faults in force."""

    def __init__(self, seed: int | None = None) -> None:
        self._faults: dict[str, Fault] = {}
        self._sequence = itertools.count(1)
        self._random = random.Random(seed)  # noqa: S311 - chance, not secrecy

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force; it gets its id."""
        fault.id = fault.id or f"fault-{next(self._sequence)}"
        self._faults[fault.id] = fault
        return fault

    def remove(self, fault_id: str) -> bool:
        """End a fault, and let go of the operations it stalls. False when it is not there."""
        fault = self._faults.pop(fault_id, None)
        if fault is not None:
            fault.removed.set()
        return fault is not None

    def clear(self) -> None:
        """End all faults."""
        for fault_id in list(self._faults):
            self.remove(fault_id)

    def list(self) -> list[Fault]:
        """The faults in force, used-up ones included until they are removed."""
        return list(self._faults.values())

    def strike(self, method: str, project: str, resource: str) -> tuple[Fault, ...]:
        """The faults that hit this call, counted."""
        if not self._faults:
            return ()
        struck = []
        for fault in self._faults.values():
            if fault.matches(method, project, resource) and self._random.random() < fault.probability:
                fault.hits += 1
                struck.append(fault)
        return tuple(struck)
