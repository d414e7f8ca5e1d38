"""Opens the real doors. Importing this module imports Google's libraries: seconds of CPU and some 170 MiB.

So it is imported once, from a thread, by `facade.GoogleCloud.open`, and by nothing else.
"""

from __future__ import annotations

from redis_connectivity.cloud.adapters import from_exception
from redis_connectivity.cloud.auditlog import GoogleAuditLog
from redis_connectivity.cloud.caller import Caller, OnCall, Timeouts
from redis_connectivity.cloud.clients import Means
from redis_connectivity.cloud.clock import Clock
from redis_connectivity.cloud.compute import GoogleCompute
from redis_connectivity.cloud.credentials import CredentialSource
from redis_connectivity.cloud.doors import Doors
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.executor import CallPool
from redis_connectivity.cloud.governor import Governor
from redis_connectivity.cloud.iam_credentials import GoogleIamCredentials
from redis_connectivity.cloud.idtokens import IdTokens
from redis_connectivity.cloud.memorystore import GoogleMemorystore
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.cloud.redis import GoogleRedis
from redis_connectivity.cloud.redis_cluster import GoogleRedisCluster
from redis_connectivity.cloud.run import GoogleRun
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
) -> Doors:
    """The doors on the given endpoints, sharing credentials, quota and threads. No call is made yet."""
    source = CredentialSource(credentials)
    means = Means(Caller(governor, calls, waits, from_exception, on_call), source, timeouts)
    return Doors(
        compute=GoogleCompute(means, clock, endpoints.compute),
        vpcaccess=GoogleVpcAccess(means, endpoints.vpcaccess),
        redis=GoogleRedis(means, endpoints.redis),
        redis_cluster=GoogleRedisCluster(means, endpoints.redis_cluster),
        memorystore=GoogleMemorystore(means, endpoints.memorystore),
        audit_log=GoogleAuditLog(means, endpoints.logging),
        run=GoogleRun(means, endpoints.run),
        iam_credentials=GoogleIamCredentials(means, endpoints.iam_credentials),
        tokens=IdTokens(source, credentials),
    )
