"""One call, done properly: quota token, thread, timing, error taxonomy, and the governor told how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.errors import CloudError
from redis_connectivity.cloud.executor import CallPool
from redis_connectivity.cloud.governor import Governor, QuotaGroup
from redis_connectivity.cloud.lanes import AnyLane, Lane, Ticket, ticket
from redis_connectivity.tracing import CLIENT, Traced, span

__all__ = ["Caller", "OnCall", "Timeouts", "Translate", "no_metrics"]

R = TypeVar("R")

#: Turns a library's exception into a `CloudError`; None for anything that is not the library's.
Translate = Callable[[Exception, CallContext], CloudError | None]


class OnCall(Protocol):
    """A hook for metrics: called on the loop after every call.

    `outcome` is `ok` or the error's kind (`NotFound`, `QuotaExhausted`, …); `seconds` is the time at Google,
    without the waits for quota and thread.
    """

    def __call__(self, service: str, method: str, project: str, outcome: str, seconds: float) -> None:
        """Take note of one call."""
        ...


def no_metrics(service: str, method: str, project: str, outcome: str, seconds: float) -> None:
    """The hook that takes no note."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one request may take, in seconds: for its connection and between any two bytes.

    Attributes:
        get: Reading one thing.
        list: Reading a page of many.
        write: Inserting, changing, deleting. Longer than a get: a write whose answer is lost costs more than
        a wait.
        wait: One round of `operations.wait`. Google holds it up to two minutes; shorter rounds let a stop be
        quick.
    """

    get: float = 10.0
    list: float = 30.0
    write: float = 30.0
    wait: float = 20.0


class Caller:
    """Runs synchronous calls for the doors.

    Args:
        governor: Gives the tokens.
        calls: Threads for ordinary calls.
        waits: Threads for `operations.wait`.
        translate: Knows the exceptions of Google's libraries.
        on_call: The hook for metrics.
    """

    def __init__(
        self,
        governor: Governor,
        calls: CallPool,
        waits: CallPool,
        translate: Translate,
        on_call: OnCall = no_metrics,
    ) -> None:
        self._governor = governor
        self._calls = calls
        self._waits = waits
        self._translate = translate
        self._on_call = on_call

    async def call(
        self,
        context: CallContext,
        group: QuotaGroup,
        lane: AnyLane,
        request: Callable[[], R],
        *,
        blocks: bool = False,
    ) -> R:
        """Make one request.

        A cancelled caller does not undo its request: it goes on in its thread, and a write may still take
        effect.

        Args:
            context: What errors and metrics call it.
            group: The quota it counts against.
            lane: Its urgency, while it waits for quota and for a thread.
            request: The blocking call, run in a thread.
            blocks: True for calls that sleep on the server (`operations.wait`).

        Raises:
            CloudError: Whatever Google or the way to it had to say.
        """
        holder = ticket(lane)
        pool = self._waits if blocks else self._calls
        polled = holder.lane is Lane.POLL  # for everybody, and not for whoever asked first
        with span(f"{context.service}.{context.method}", CLIENT, root=polled, project=context.project) as one:
            return await self._call(context, group, holder, request, pool, one)

    async def _call(
        self,
        context: CallContext,
        group: QuotaGroup,
        holder: Ticket,
        request: Callable[[], R],
        pool: CallPool,
        traced: Traced,
    ) -> R:
        await self._governor.acquire(context.project, group, holder)
        elapsed = 0.0

        def timed() -> R:
            nonlocal elapsed
            begun = time.perf_counter()
            try:
                return request()
            finally:
                elapsed = time.perf_counter() - begun

        try:
            result = await pool.run(timed, holder)
        except Exception as raised:
            error = self._translate(raised, context)
            outcome = error.kind if error else "bug"
            self._on_call(context.service, context.method, context.project, outcome, elapsed)
            traced.ended(outcome, ok=False, google_seconds=elapsed)
            if error is None:
                raise
            self._governor.report(context.project, group, error)
            if error is raised:
                raise
            raise error from raised
        self._on_call(context.service, context.method, context.project, "ok", elapsed)
        traced.ended("ok", ok=True, google_seconds=elapsed)
        self._governor.report(context.project, group, None)
        return result
