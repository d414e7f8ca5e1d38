"""Opens the real doors. Importing this module imports Google's libraries: seconds of CPU and some 170 MiB.

So it is imported once, from a thread, by `facade.GoogleCloud.open`, and by nothing else.
"""

from __future__ import annotations

from redis_connectivity.cloud.adapters import from_exception
from redis_connectivity.cloud.caller import Caller, OnCall, Timeouts
from redis_connectivity.cloud.clock import Clock
from redis_connectivity.cloud.compute import GoogleCompute
from redis_connectivity.cloud.credentials import CredentialSource
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.executor import CallPool
from redis_connectivity.cloud.governor import Governor
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.cloud.redis import GoogleRedis
from redis_connectivity.cloud.vpcaccess import GoogleVpcAccess

__all__ = ["open_doors"]


def open_doors(
    endpoints: Endpoints,
    credentials: CredentialsConfig,
    timeouts: Timeouts,
    governor: Governor,
    calls: CallPool,
    waits: CallPool,
    on_call: OnCall,
    clock: Clock,
) -> tuple[GoogleCompute, GoogleVpcAccess, GoogleRedis]:
    """The three doors on the given endpoints, sharing credentials, quota and threads. No call is made yet."""
    caller = Caller(governor, calls, waits, from_exception, on_call)
    source = CredentialSource(credentials)
    return (
        GoogleCompute(caller, source, clock, endpoint=endpoints.compute, timeouts=timeouts),
        GoogleVpcAccess(caller, source, endpoint=endpoints.vpcaccess, timeouts=timeouts),
        GoogleRedis(caller, source, endpoint=endpoints.redis, timeouts=timeouts),
    )
