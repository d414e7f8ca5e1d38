"""Asking a prober: every way in which the asking itself can fail becomes an answer with a `Prober…` code."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import aiohttp
from pydantic import ValidationError

from redis_connectivity.api.access import check_safe_way
from redis_connectivity.probes.check import prober_info
from redis_connectivity.probes.model import MAX_MESSAGE, FailureCode, ProbeAnswer, ProbeFailure, ProbeRequest

__all__ = ["ASKING_MARGIN_SECONDS", "PROBE_PATH", "ask"]

PROBE_PATH: Final = "/v1/probe"
#: What a caller should add to the check's own timeout, for the way to the prober (a cold start included).
ASKING_MARGIN_SECONDS: Final = 10.0
_MAX_ANSWER_BYTES: Final = 64 * 1024


class _Unusable(Exception):
    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code


async def ask(
    prober_url: str,
    request: ProbeRequest,
    *,
    session: aiohttp.ClientSession,
    timeout: float | None = None,  # noqa: ASYNC109 - the whole exchange's, told apart from the check's own
    headers: Mapping[str, str] | None = None,
) -> ProbeAnswer:
    """The prober's answer, or one that says why there is none; raises for neither.

    Args:
        prober_url: The prober's base URL, such as `https://prober-abc-uc.a.run.app`.
        request: The check to do.
        session: HTTP session to use; it is left open.
        timeout: Seconds for the whole exchange; by default the check's timeout plus ASKING_MARGIN_SECONDS.
        headers: More HTTP headers, such as an Authorization with an ID token.
    """
    seconds = request.timeout_seconds + ASKING_MARGIN_SECONDS if timeout is None else timeout
    started = time.perf_counter()
    observed_at = datetime.now(UTC)
    try:
        if request.auth is not None or headers:
            check_safe_way(prober_url)
        return await _exchange(prober_url.rstrip("/") + PROBE_PATH, request, session, seconds, headers)
    except _Unusable as unusable:
        code, message = unusable.code, str(unusable)
    except ValueError as error:  # aiohttp.InvalidURL is one too
        code, message = FailureCode.PROBER_UNAVAILABLE, f"{prober_url!r} is no usable URL: {error}"
    except TimeoutError:
        code, message = FailureCode.PROBER_TIMEOUT, f"{prober_url} did not answer within {seconds:g} s"
    except (aiohttp.ClientError, OSError) as error:
        code, message = (
            FailureCode.PROBER_UNAVAILABLE,
            f"cannot reach {prober_url}: {str(error) or type(error).__name__}",
        )
    return ProbeAnswer(
        ok=False,
        steps=(),
        latency_seconds=time.perf_counter() - started,
        failure=ProbeFailure(step="prober", code=code, message=message[:MAX_MESSAGE]),
        observed_at=observed_at,
        prober=prober_info("unknown"),
    )


async def _exchange(
    url: str,
    request: ProbeRequest,
    session: aiohttp.ClientSession,
    seconds: float,
    headers: Mapping[str, str] | None,
) -> ProbeAnswer:
    async with session.post(
        url,
        data=request.wire(),
        headers={"Content-Type": "application/json", **(headers or {})},
        timeout=aiohttp.ClientTimeout(total=seconds),
        allow_redirects=False,  # a redirect is a login page's or a proxy's, never a prober's
    ) as response:
        body = await _body(response)
        if response.status == 429 or response.status >= 500:
            raise _Unusable(FailureCode.PROBER_UNAVAILABLE, _told(url, response.status, body))
        if response.status != 200:
            raise _Unusable(FailureCode.PROBER_REFUSED, _told(url, response.status, body))
    try:
        answer = ProbeAnswer.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        message = f"{url} answered 200 with what is no probe answer: {where}: {first['msg']}"
        raise _Unusable(FailureCode.PROBER_INVALID_ANSWER, message) from error
    asked = [check.name for check in request.checks]
    if [step.name for step in answer.steps] != asked[: len(answer.steps)]:
        message = f"{url} answered about other checks than it was asked for"
        raise _Unusable(FailureCode.PROBER_INVALID_ANSWER, message)
    return answer


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, never more than an answer can have: what answers may be anything."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER_BYTES:
            message = f"{response.url} answered with more than {_MAX_ANSWER_BYTES} bytes"
            raise _Unusable(FailureCode.PROBER_INVALID_ANSWER, message)
    return bytes(body)


def _told(url: str, status: int, body: bytes) -> str:
    text = " ".join(body[:400].decode(errors="replace").split())
    if text.startswith("<"):
        text = ""  # a front end's error page says nothing that its status does not
    return f"{url} answered HTTP {status}: {text}" if text else f"{url} answered HTTP {status}"
