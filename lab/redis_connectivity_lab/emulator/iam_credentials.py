"""IAM Credentials: access tokens of service accounts.

Shapes: iamcredentials v1 API description. A token is good for the API's calls and, where Redis asks IAM, for Redis.
Here an account has one token at a time; the lab makes the token anew where Google's would have run out. An account that
the lab has not put into its project is not there.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from redis_connectivity_lab.emulator.call import Call, Method, World
from redis_connectivity_lab.emulator.errors import ApiError, invalid_argument
from redis_connectivity_lab.emulator.ids import Json
from redis_connectivity_lab.emulator.store import Project

__all__ = ["methods", "new_token"]

_GET_TOKEN: Final = "iam.serviceAccounts.getAccessToken"  # noqa: S105 - a permission
_SECONDS: Final = re.compile(r"(\d+)s")
#: Google's default, and ordinary maximum.
_HOUR: Final = 3600
_DOMAIN: Final = ".iam.gserviceaccount.com"


def methods() -> list[Method]:
    """The emulated methods of the API."""
    return [
        Method(
            "iamcredentials.serviceAccounts.generateAccessToken",
            "POST",
            "/v1/projects/-/serviceAccounts/{account}:generateAccessToken",
            _generate,
            permission=_GET_TOKEN,
            resource=_resource,
            project=_project,
        )
    ]


def new_token(world: World, project: Project, account: str) -> str:
    """Give an account a token, in the place of any that it had."""
    if old := project.accounts.get(account):
        world.tokens.remove(old)
    token = project.accounts[account] = f"ya29.lab-{secrets.token_urlsafe(48)}"
    world.tokens.set(token, account)
    world.store.touch(project)
    return token


def _resource(call: Call) -> str:
    return f"projects/-/serviceAccounts/{call.params['account']}"


def _project(call: Call) -> str:
    """An account's project, as its e-mail says."""
    return call.params["account"].partition("@")[2].removesuffix(_DOMAIN)


async def _generate(call: Call) -> Json:
    body = call.body()
    if unknown := set(body) - {"delegates", "lifetime", "scope"}:
        raise invalid_argument(f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.')
    if not body.get("scope"):
        raise invalid_argument("scope must be specified.")
    lifetime = _SECONDS.fullmatch(str(body.get("lifetime", f"{_HOUR}s")))
    if lifetime is None or not 0 < int(lifetime[1]) <= _HOUR:
        raise invalid_argument("The lifetime of the access token must be between 1s and 3600s.")
    account = call.params["account"]
    token = call.project.accounts.get(account)
    if token is None:
        raise ApiError(404, f"Not found; Gaia id not found for email {account}")
    end = datetime.now(UTC) + timedelta(seconds=int(lifetime[1]))
    return {"accessToken": token, "expireTime": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
