"""Asks a prober through the emulated Cloud Run front end, as any client on the internet would."""

from __future__ import annotations

import asyncio

import aiohttp

from redis_connectivity.probes.client import ask
from redis_connectivity.probes.model import ProbeAnswer, ProbeRequest

__all__ = ["ask_prober"]


def ask_prober(url: str, host: str, port: int = 6379, seconds: float = 1.0) -> ProbeAnswer:
    """One PING from where the prober runs."""

    async def once() -> ProbeAnswer:
        async with aiohttp.ClientSession() as session:
            return await ask(url, ProbeRequest(host=host, port=port, timeout_seconds=seconds), session=session)

    return asyncio.run(once())
