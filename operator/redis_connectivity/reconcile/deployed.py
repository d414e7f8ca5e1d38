"""Asking a prober that the operator deployed: it answers nobody who cannot show who they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import aiohttp

from redis_connectivity.cloud.doors import TokenDoor
from redis_connectivity.cloud.errors import CloudError
from redis_connectivity.probes.check import prober_info
from redis_connectivity.probes.client import ask
from redis_connectivity.probes.model import PROBER_STEP, FailureCode, ProbeAnswer, ProbeFailure, ProbeRequest

__all__ = ["ask_deployed"]

_MAY_NOT: Final = (
    "; whoever asks (the operator's Google service account) needs run.routes.invoke there"
    " (manifests/gcp/role-prober.yaml), and a grant takes a minute or so"
)


async def ask_deployed(
    url: str, request: ProbeRequest, *, session: aiohttp.ClientSession, tokens: TokenDoor
) -> ProbeAnswer:
    """The prober's answer, or one that says why there is none. The token goes along with the request to `url` alone."""
    try:
        token = await tokens.bearer(url)
    except CloudError as error:
        message = f"no ID token could be had for {url}: {error.message}"
        return ProbeAnswer(
            ok=False,
            steps=(),
            latency_seconds=0.0,
            failure=ProbeFailure(step=PROBER_STEP, code=FailureCode.PROBER_UNAVAILABLE, message=message[:1000]),
            observed_at=datetime.now(UTC),
            prober=prober_info("unknown"),
        )
    answer = await ask(url, request, session=session, headers={"Authorization": f"Bearer {token}"})
    failure = answer.failure
    if failure is None or failure.code is not FailureCode.PROBER_REFUSED:
        return answer
    tokens.forget(url)  # it may have been the token that was refused
    told = failure.model_copy(update={"message": f"{failure.message}{_MAY_NOT}"[:1000]})
    return answer.model_copy(update={"failure": told})
