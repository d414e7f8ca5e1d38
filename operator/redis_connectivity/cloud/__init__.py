"""The only place that speaks to Google Cloud: clients, one error taxonomy, quota, the shared inventory.

Importing this package is cheap; Google's libraries come with `GoogleCloud.open`.
"""

from __future__ import annotations

from redis_connectivity.cloud.caller import OnCall, Timeouts
from redis_connectivity.cloud.endpoints import Endpoints
from redis_connectivity.cloud.facade import CloudConfig, GoogleCloud
from redis_connectivity.cloud.governor import Budget, QuotaGroup
from redis_connectivity.cloud.inventory import OnChange
from redis_connectivity.cloud.lanes import Lane
from redis_connectivity.cloud.options import CredentialsConfig
from redis_connectivity.cloud.poller import Pace
from redis_connectivity.cloud.snapshot import Snapshot

__all__ = [
    "Budget",
    "CloudConfig",
    "CredentialsConfig",
    "Endpoints",
    "GoogleCloud",
    "Lane",
    "OnCall",
    "OnChange",
    "Pace",
    "QuotaGroup",
    "Snapshot",
    "Timeouts",
]
