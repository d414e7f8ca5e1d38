"""Argo CD's health check, run by a real Lua: every reason of the vocabulary ends somewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lupa
import pytest
import yaml

from redis_connectivity.api.conditions import Reason

PATCH = Path(__file__).resolve().parents[3] / "manifests" / "argocd" / "argocd-cm-patch.yaml"
KEY = "resource.customizations.health.redisconnectivity.io_RedisConnectivity"
#: What the operator's own next steps end.
WORKING = {
    Reason.PENDING,
    Reason.EARLIER_HOP_NOT_READY,
    Reason.PROGRESSING,
    Reason.REPAIRING,
    Reason.CONNECTOR_CREATING,
    Reason.CONNECTOR_UPDATING,
    Reason.CONNECTOR_DELETING,
    Reason.FIREWALL_APPLYING,
    Reason.FIREWALL_RULE_MISSING,
}
Health = Callable[[dict[str, Any]], tuple[str, str]]


@pytest.fixture(scope="module")
def health() -> Health:
    """The shipped script as a function of a resource, as Argo CD calls it."""
    script = yaml.safe_load(PATCH.read_text(encoding="utf-8"))["data"][KEY]
    lua = lupa.LuaRuntime()
    run = lua.eval(f"function(obj)\n{script}\nend")

    def judge(body: dict[str, Any]) -> tuple[str, str]:
        found = run(lua.table_from(body, recursive=True))
        return str(found["status"]), str(found["message"])

    return judge


def resource(*conditions: tuple[str, str, str], **metadata: Any) -> dict[str, Any]:
    told = [
        {"type": kind, "status": status, "reason": reason, "message": f"About {reason}."}
        for kind, status, reason in conditions
    ]
    return {
        "metadata": {"name": "chat", "generation": 3, **metadata},
        "status": {"observedGeneration": 3, "conditions": told},
    }


@pytest.mark.parametrize("status", ["False", "Unknown"])
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_ends_somewhere(health: Health, reason: Reason, status: str) -> None:
    expected = "Progressing" if reason in WORKING else "Degraded"
    if reason is Reason.SUSPENDED:
        expected = "Suspended"
    assert health(resource(("Ready", status, reason))) == (expected, f"{reason}: About {reason}.")


@pytest.mark.parametrize("reason", Reason)
def test_what_is_stalled_is_degraded_whatever_it_is_at(health: Health, reason: Reason) -> None:
    stalled = resource(("Ready", "False", Reason.EARLIER_HOP_NOT_READY), ("Stalled", "True", reason))
    assert health(stalled) == ("Degraded", f"{reason}: About {reason}.")


@pytest.mark.parametrize("reason", [Reason.PATH_PROVEN, Reason.CONFIGURED_NOT_PROVEN])
def test_ready_is_healthy(health: Health, reason: Reason) -> None:
    ready = (("Ready", "True", reason), ("Stalled", "False", Reason.PROGRESSING))
    assert health(resource(*ready))[0] == "Healthy"


def test_what_the_operator_has_not_seen_is_progressing(health: Health) -> None:
    ready = ("Ready", "True", Reason.PATH_PROVEN)
    assert health({"metadata": {"name": "chat", "generation": 1}})[0] == "Progressing"
    assert health({"metadata": {"name": "chat", "generation": 1}, "status": {}})[0] == "Progressing"
    assert health(resource(("InSync", "True", "InSync")))[0] == "Progressing"
    assert health(resource(ready, generation=4)) == ("Progressing", "The operator has not seen this spec yet.")


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        ("True", Reason.PATH_PROVEN, "Progressing"),
        ("False", Reason.DELETING, "Progressing"),
        ("False", Reason.CONNECTOR_DELETING, "Progressing"),
        ("False", Reason.PERMISSION_DENIED, "Degraded"),
        ("False", Reason.REJECTED_BY_GOOGLE, "Degraded"),
    ],
)
def test_a_deletion_progresses_unless_something_holds_it(
    health: Health, status: str, reason: Reason, expected: str
) -> None:
    going = resource(("Ready", status, reason), deletionTimestamp="2026-01-01T00:00:00Z", generation=4)
    assert health(going)[0] == expected
