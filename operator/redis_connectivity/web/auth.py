"""Who may look, when the page can be reached from outside of the pod: whom RBAC lets list the resources.

As with controller-runtime's metrics: the caller sends a bearer token, the API server says whose it is (TokenReview)
and whether that one may list RedisConnectivity resources in all namespaces (SubjectAccessReview).
"""

from __future__ import annotations

import enum
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from lightkube import AsyncClient
from lightkube.models.authentication_v1 import TokenReviewSpec
from lightkube.models.authorization_v1 import ResourceAttributes, SubjectAccessReviewSpec
from lightkube.resources.authentication_v1 import TokenReview
from lightkube.resources.authorization_v1 import SubjectAccessReview

from redis_connectivity.api.base import GROUP, PLURAL
from redis_connectivity.kube.errors import translate

__all__ = ["Access", "ClusterAccess"]

#: Seconds for which an answer of the API server holds; a right withdrawn is a look lost within a minute.
_REMEMBERED: Final = 60.0
#: Callers remembered; more than look at once.
_CALLERS: Final = 1024


class Access(enum.Enum):
    """What the cluster says about a caller."""

    ALLOWED = enum.auto()
    #: The token is none that the cluster knows.
    UNKNOWN_CALLER = enum.auto()
    #: Known, but without the right to list the resources.
    FORBIDDEN = enum.auto()


class ClusterAccess:
    """Asks the API server about bearer tokens, and remembers its answer for a minute. `clock` is monotonic seconds."""

    def __init__(self, api: AsyncClient, clock: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock
        #: By the token's digest, never by the token.
        self._known: OrderedDict[bytes, tuple[float, Access]] = OrderedDict()

    async def of(self, token: str) -> Access:
        """What the caller with this token may do.

        Raises:
            KubeError: the API server could not be asked.
        """
        digest = hashlib.sha256(token.encode()).digest()
        found = self._known.get(digest)
        if found is not None and self._clock() < found[0]:
            return found[1]
        access = await self._ask(token)
        self._known[digest] = (self._clock() + _REMEMBERED, access)
        while len(self._known) > _CALLERS:
            self._known.popitem(last=False)
        return access

    async def _ask(self, token: str) -> Access:
        with translate("create tokenreview"):
            review = await self._api.create(TokenReview(spec=TokenReviewSpec(token=token)))
        if review.status is None or not review.status.authenticated or review.status.user is None:
            return Access.UNKNOWN_CALLER
        user = review.status.user
        attributes = ResourceAttributes(verb="list", group=GROUP, resource=PLURAL)
        with translate("create subjectaccessreview"):
            answer = await self._api.create(
                SubjectAccessReview(
                    spec=SubjectAccessReviewSpec(
                        user=user.username,
                        uid=user.uid,
                        groups=user.groups,
                        extra=user.extra,
                        resourceAttributes=attributes,
                    )
                )
            )
        return Access.ALLOWED if answer.status is not None and answer.status.allowed else Access.FORBIDDEN
