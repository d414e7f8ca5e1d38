"""Access tokens of other service accounts, through Google's own client of the IAM Credentials API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from google.cloud import iam_credentials_v1
from pydantic import SecretStr

from redis_connectivity.cloud.classify import CallContext
from redis_connectivity.cloud.clients import Means, rest_clients
from redis_connectivity.cloud.credentials import SCOPE
from redis_connectivity.cloud.doors import AccessToken
from redis_connectivity.cloud.governor import QuotaGroup
from redis_connectivity.cloud.lanes import AnyLane

__all__ = ["GoogleIamCredentials"]

#: Life that is asked for, in seconds: long enough to be asked for seldom, and a quarter of what a token has by default.
_LIFETIME: Final = 900
#: The least that is believed: less would be a clock that is wrong.
_LEAST: Final = 300


class GoogleIamCredentials:
    """The IAM Credentials door. Methods are documented in `doors.IamCredentialsDoor`."""

    def __init__(self, means: Means, endpoint: str | None = None) -> None:
        self._caller = means.caller
        self._timeouts = means.timeouts
        self._credentials = means.credentials
        self._clients = rest_clients(iam_credentials_v1.IAMCredentialsClient, means.credentials, endpoint)

    async def access_token(self, project: str, account: str, lane: AnyLane) -> AccessToken:
        """A new token of an account."""
        # The dash stands for the account's project, which the e-mail names already.
        name = f"projects/-/serviceAccounts/{account}"
        message = iam_credentials_v1.GenerateAccessTokenRequest(
            name=name, scope=[SCOPE], lifetime={"seconds": _LIFETIME}
        )

        def request() -> AccessToken:
            with self._clients.borrow() as client:
                made = client.generate_access_token(request=message, retry=None, timeout=self._timeouts.get)
            # By Google's clock it is good for as long as was asked for; ours may be wrong, and says only if it is less.
            left = (made.expire_time - datetime.now(UTC)).total_seconds() if made.expire_time else _LIFETIME
            return AccessToken(SecretStr(made.access_token), min(max(left, _LEAST), _LIFETIME))

        context = CallContext(project, "iamcredentials", "serviceAccounts.generateAccessToken", name)
        return await self._caller.call(context, QuotaGroup.IAM_CREDENTIALS, lane, request)

    def is_own(self, account: str) -> bool:
        """Whether it is the operator's own."""
        return account == self._credentials.account()
