"""How each scene breaks a path, and how one sees that it is still broken; `scenes` gives them names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from redis_connectivity_lab.site import Body, NothingThereError, Site
from redis_connectivity_lab.worlds import REGION, Environment
from redis_connectivity_lab.wound import Wound

__all__ = [
    "api_unavailable",
    "connector_deleted",
    "connector_error",
    "deny",
    "memorystore_maintenance",
    "permission_lost",
    "quota_exhausted",
    "redis_paused",
    "redis_stopped",
    "rule_changed",
    "rule_deleted",
]


# --- the operator's rules

_WATCH_RULE: Final = "InSync turns False, the rule comes back within a poll, and status.drift remembers it"


def rule_deleted(site: Site) -> Wound:
    """Somebody deletes the opening rule."""
    name = site.opening_rule()["name"]
    site.delete_rule(name)
    return Wound(f"deleted firewall rule {name}", _WATCH_RULE, lambda: site.rule(name) is None)


def rule_changed(fields: Callable[[Environment], Body]) -> Callable[[Site], Wound]:
    """Somebody changes fields of the opening rule."""

    def act(site: Site) -> Wound:
        before = site.opening_rule()
        name, changed = before["name"], fields(site.env)
        site.change_rule(name, **changed)

        def still() -> bool:
            rule = site.rule(name)
            return rule is None or any(rule.get(one) != before.get(one) for one in changed)

        what = ", ".join(f"{one} from {_plain(before.get(one))} to {_plain(value)}" for one, value in changed.items())
        return Wound(f"changed {what} on firewall rule {name}", _WATCH_RULE, still)

    return act


def _plain(value: object) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value).lower()


# --- rules of others


def deny(name: str, priority: int, watch: str, *, beatable: bool) -> Callable[[Site], Wound]:
    """Somebody puts a deny in the way of the opening direction."""

    def act(site: Site) -> Wound:
        env = site.env
        fields: Body = {"direction": env.opening, "priority": priority, "denied": [{"IPProtocol": "all"}]}
        site.put_rule(name, **fields, **{env.ranges_field: ["0.0.0.0/0"]})

        def still() -> bool:
            """A deny that the operator's rule has overtaken is there, but hurts nobody."""
            deny = site.rule(name)
            if deny is None:
                return False
            return not beatable or bool(site.opening_rule()["priority"] >= deny["priority"])

        done = f"{env.opening.lower()} deny-all {name} at priority {priority} on network {env.network}"
        return Wound(f"made {done}", watch, still, lambda: _forget_rule(site, name))

    return act


def _forget_rule(site: Site, name: str) -> None:
    if site.rule(name) is not None:
        site.delete_rule(name)


# --- Redis


def redis_stopped(site: Site) -> Wound:
    """Redis is killed."""
    site.cloud.stop_redis(site.env.host_id)
    watch = "Reachable turns False: the connection is refused, so the network is fine and nothing listens"
    return Wound(f"killed Redis at {site.env.target}", watch, lambda: _redis(site) != "running", _redis_back(site))


def redis_paused(site: Site) -> Wound:
    """Redis is held where it stands."""
    site.cloud.pause_redis(site.env.host_id)
    watch = "Reachable turns False: connections open, and PING gets no answer"
    return Wound(f"froze Redis at {site.env.target}", watch, lambda: _redis(site) != "running", _redis_back(site))


def _redis(site: Site) -> str | None:
    hosts = {one["id"]: one["redis"] for one in site.cloud.status()["hosts"]}
    state: str | None = hosts.get(site.env.host_id)
    return state


def _redis_back(site: Site) -> Callable[[], None]:
    return lambda: site.cloud.start_redis(site.env.host_id)


def memorystore_maintenance(site: Site) -> Wound:
    """Google takes the instance out."""

    def turn(state: str) -> None:
        name = site.env.redis["memorystore"]["instance"]
        site.control.patch("redis", site.env.project, REGION, name, state=state)
        site.cloud.settle()

    turn("MAINTENANCE")

    def still() -> bool:
        return any(one["state"] != "READY" for one in site.control.list("redis", site.env.project))

    watch = "RedisReady turns False with the instance's state"
    return Wound("the Memorystore instance is in MAINTENANCE", watch, still, lambda: turn("READY"))


# --- the connector


def connector_deleted(site: Site) -> Wound:
    """Somebody deletes the connector."""
    site.connector_state()
    site.delete_connector()
    watch = "ConnectorReady turns False, the connector is made anew, then Reachable turns True"
    return Wound(f"deleted connector {site.env.connector}", watch, lambda: site.connectors() == {}, None)


def connector_error(site: Site) -> Wound:
    """The connector turns to ERROR, from which none recovers."""
    site.connector_state()
    site.set_connector_state("ERROR")
    name = site.env.connector

    def still() -> bool:
        return site.connectors().get(name) != "READY"

    if site.env.ours:
        watch = "ConnectorReady turns False, the dead connector is removed and made anew: it is the operator's own"
        return Wound(f"connector {name} is in ERROR", watch, still)
    watch = "ConnectorReady turns False; it is somebody else's, so the operator says so and leaves it alone"
    return Wound(f"connector {name} is in ERROR", watch, still, lambda: site.set_connector_state("READY"))


# --- Google's APIs


def permission_lost(site: Site) -> Wound:
    """Somebody takes the permissions on firewall rules away."""
    project = site.env.project
    kept = ["compute.networks.*", "compute.subnetworks.*", "compute.globalOperations.*", "vpcaccess.*", "redis.*"]
    site.control.allow(project, {"*": kept})
    watch = "FirewallReady names the permission that is missing; traffic still passes"
    return Wound(
        f"nobody may touch firewall rules in project {project}",
        watch,
        lambda: _project(site)["iam"] is not None,
        lambda: site.control.allow(project, None),
    )


def quota_exhausted(site: Site) -> Wound:
    """Compute grants the project no call."""
    project = site.env.project
    site.control.quotas(project, {"compute.reads": 0, "compute.writes": 0})
    watch = "the operator slows down in this project and says QuotaExhausted; other projects do not notice"
    return Wound(
        f"project {project} has no Compute quota left",
        watch,
        lambda: bool(_project(site)["quotas"]),
        lambda: site.control.quotas(project, {}),
    )


def api_unavailable(site: Site) -> Wound:
    """Compute fails for the project."""
    fault = site.control.fault("compute.*", project=site.env.project, status=503)

    def still() -> bool:
        return any(one["id"] == fault for one in site.control.request("GET", "faults")["faults"])

    watch = "the operator says CloudUnavailable and tries again with back-off; traffic still passes"
    done = f"Compute answers 503 to every call in project {site.env.project}"
    return Wound(done, watch, still, lambda: site.control.remove_fault(fault))


def _project(site: Site) -> dict[str, Any]:
    for one in site.control.request("GET", "projects")["projects"]:
        if one["id"] == site.env.project:
            return dict(one)
    raise NothingThereError(f"project {site.env.project} is gone")
