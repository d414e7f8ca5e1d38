"""Scenes about what keeps the operator from looking or acting."""

from __future__ import annotations

from typing import Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity_lab.scene import Scene
from redis_connectivity_lab.scene_acts import api_unavailable, permission_lost, quota_exhausted
from redis_connectivity_lab.scene_network_acts import api_disabled, credentials_refused, declared, update_fails
from redis_connectivity_lab.scene_policy_acts import policy_forbids
from redis_connectivity_lab.worlds import STAGING

__all__ = ["ACCESS"]

#: Google grants quota by the minute, and the operator does not press for it.
_QUOTA_SECONDS: Final = 400.0

ACCESS: Final = (
    Scene(
        "permission-lost",
        "the operator may no longer list or change firewall rules",
        permission_lost,
        Code.PERMISSION_MISSING,
        names=Reason.PERMISSION_DENIED,
    ),
    Scene(
        "quota-exhausted",
        "the project's Compute quota is used up",
        quota_exhausted,
        Code.QUOTA_EXHAUSTED,
        names=Reason.QUOTA_EXHAUSTED,
        slow=_QUOTA_SECONDS,
    ),
    Scene(
        "api-unavailable",
        "the Compute API answers 503",
        api_unavailable,
        Code.CLOUD_UNAVAILABLE,
        names=Reason.CLOUD_UNAVAILABLE,
    ),
    Scene(
        "api-disabled",
        "somebody disables the API of connectors",
        api_disabled,
        Code.API_DISABLED,
        names=Reason.API_DISABLED,
    ),
    Scene(
        "credentials-refused",
        "Google does not know the operator any more",
        credentials_refused,
        Code.CREDENTIALS_REFUSED,
        names=Reason.UNAUTHENTICATED,
    ),
    Scene(
        "project-missing",
        "the project's name has a slip in it",
        declared(
            "declared project acme-stagin",
            "NetworkReady turns False",
            lambda _: {"projectId": "acme-stagin"},
        ),
        Code.PROJECT_MISSING,
        (STAGING,),
        Reason.PROJECT_NOT_FOUND,
    ),
    Scene(
        "operation-failed",
        "Google's operation for a change of the rule fails each time",
        update_fails,
        Code.OPERATION_FAILED,
        names=Reason.REJECTED_BY_GOOGLE,
    ),
    Scene(
        "policy-forbids",
        "a policy of the cluster forbids what is declared",
        policy_forbids,
        Code.NOT_ALLOWED_BY_POLICY,
        (STAGING,),
        Reason.NOT_ALLOWED_BY_POLICY,
    ),
)
