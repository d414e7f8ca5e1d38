"""What people and clouds do to a path, by name: `lab break NAME` plays one, `lab heal` undoes it.

Some scenes the operator heals by itself; the others it cannot, and says what is the matter (`names`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from redis_connectivity_lab.site import Body, NothingThereError, Site
from redis_connectivity_lab.worlds import ENVIRONMENTS, PRODUCTION, REGION, STAGING, Environment

__all__ = ["SCENES", "Scene", "UnknownSceneError", "Wound", "scene_of"]

#: A range that nothing of the lab's is in.
_ELSEWHERE: Final = "192.168.77.7/32"
_WRONG_PORT: Final = "6380"


class UnknownSceneError(Exception):
    """There is no such scene, or not in that environment; the message lists what there is."""


@dataclass(frozen=True, slots=True)
class Wound:
    """A broken scene. `open` says whether it is still broken, `undo` ends what only the lab can end."""

    done: str
    watch: str
    open: Callable[[], bool]
    undo: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One way to break a path.

    Attributes:
        name: As on the command line.
        summary: One line.
        act: Breaks a site.
        environments: Where it can be played; the first is the default.
        names: Where the operator cannot heal the scene: the condition that says so, and its reason.
        drift: Where it can: whether `status.drift` remembers it, for it was done to something of the operator's own.
    """

    name: str
    summary: str
    act: Callable[[Site], Wound]
    environments: tuple[Environment, ...] = ENVIRONMENTS
    names: tuple[str, str] | None = None
    drift: bool = True

    def environment(self, word: str | None) -> Environment:
        """The environment by its word, or the default; raises UnknownSceneError where the scene makes no sense."""
        if word is None:
            return self.environments[0]
        for env in self.environments:
            if env.word == word:
                return env
        there = " and ".join(env.word for env in self.environments)
        raise UnknownSceneError(f"scene {self.name} can be played in {there}, not in {word!r}")


def scene_of(name: str) -> Scene:
    """A scene by its name; raises UnknownSceneError."""
    try:
        return SCENES[name]
    except KeyError:
        raise UnknownSceneError(f"there is no scene {name!r}; there are {', '.join(SCENES)}") from None


# --- the operator's rules

_WATCH_RULE: Final = "InSync turns False, the rule comes back within a poll, and status.drift remembers it"


def _rule_deleted(site: Site) -> Wound:
    name = site.opening_rule()["name"]
    site.delete_rule(name)
    return Wound(f"deleted firewall rule {name}", _WATCH_RULE, lambda: site.rule(name) is None)


def _rule_changed(fields: Callable[[Environment], Body]) -> Callable[[Site], Wound]:
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


def _deny(name: str, priority: int, watch: str, *, beatable: bool) -> Callable[[Site], Wound]:
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


def _redis_stopped(site: Site) -> Wound:
    site.cloud.stop_redis(site.env.host_id)
    watch = "Reachable turns False: the connection is refused, so the network is fine and nothing listens"
    return Wound(f"killed Redis at {site.env.target}", watch, lambda: _redis(site) != "running", _redis_back(site))


def _redis_paused(site: Site) -> Wound:
    site.cloud.pause_redis(site.env.host_id)
    watch = "Reachable turns False: connections open, and PING gets no answer"
    return Wound(f"froze Redis at {site.env.target}", watch, lambda: _redis(site) != "running", _redis_back(site))


def _redis(site: Site) -> str | None:
    hosts = {one["id"]: one["redis"] for one in site.cloud.status()["hosts"]}
    state: str | None = hosts.get(site.env.host_id)
    return state


def _redis_back(site: Site) -> Callable[[], None]:
    return lambda: site.cloud.start_redis(site.env.host_id)


def _memorystore_maintenance(site: Site) -> Wound:
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


def _connector_deleted(site: Site) -> Wound:
    site.connector_state()
    site.delete_connector()
    watch = "ConnectorReady turns False, the connector is made anew, then Reachable turns True"
    return Wound(f"deleted connector {site.env.connector}", watch, lambda: site.connectors() == {}, None)


def _connector_error(site: Site) -> Wound:
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


def _permission_lost(site: Site) -> Wound:
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


def _quota_exhausted(site: Site) -> Wound:
    project = site.env.project
    site.control.quotas(project, {"compute.reads": 0, "compute.writes": 0})
    watch = "the operator slows down in this project and says QuotaExhausted; other projects do not notice"
    return Wound(
        f"project {project} has no Compute quota left",
        watch,
        lambda: bool(_project(site)["quotas"]),
        lambda: site.control.quotas(project, {}),
    )


def _api_unavailable(site: Site) -> Wound:
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


_UNREACHABLE: Final = ("Reachable", "ProbeFailed")
_OVERTAKES: Final = "the operator's rule moves in front of the deny, to priority 99"
_UNBEATABLE: Final = "FirewallReady turns False and names the deny, which only its owner can lift"

_ALL: Final = (
    Scene("rule-deleted", "somebody deletes the operator's rule", _rule_deleted),
    Scene(
        "rule-narrowed",
        "somebody narrows the operator's rule to one other address",
        _rule_changed(lambda env: {env.ranges_field: [_ELSEWHERE]}),
    ),
    Scene("rule-disabled", "somebody disables the operator's rule", _rule_changed(lambda _: {"disabled": True})),
    Scene(
        "rule-port-changed",
        "somebody changes the port of the operator's rule",
        _rule_changed(lambda _: {"allowed": [{"IPProtocol": "tcp", "ports": [_WRONG_PORT]}]}),
    ),
    Scene(
        "deny-in-front",
        "another team puts a stronger deny in front of the operator's rule",
        _deny("lockdown", 100, _OVERTAKES, beatable=True),
        drift=False,
    ),
    Scene(
        "egress-denied",
        "a deny of all egress that no VPC firewall rule can beat (priority 0)",
        _deny("no-way-out", 0, _UNBEATABLE, beatable=False),
        (PRODUCTION,),
        ("FirewallReady", "FirewallDenyUnbeatable"),
    ),
    Scene("redis-stopped", "Redis is killed", _redis_stopped, names=_UNREACHABLE),
    Scene("redis-paused", "Redis freezes: connections open, and get no answer", _redis_paused, names=_UNREACHABLE),
    Scene(
        "connector-deleted", "somebody deletes the connector that the operator made", _connector_deleted, (PRODUCTION,)
    ),
    Scene(
        "connector-error",
        "the connector that the operator made turns to ERROR",
        _connector_error,
        (PRODUCTION,),
        drift=False,
    ),
    Scene(
        "foreign-connector-error",
        "a connector that somebody else made turns to ERROR",
        _connector_error,
        (STAGING,),
        ("ConnectorReady", "ConnectorError"),
    ),
    Scene(
        "memorystore-maintenance",
        "the Memorystore instance is taken out for maintenance",
        _memorystore_maintenance,
        (PRODUCTION,),
        ("RedisReady", "RedisNotReady"),
    ),
    Scene(
        "permission-lost",
        "the operator may no longer list or change firewall rules",
        _permission_lost,
        names=("FirewallReady", "PermissionDenied"),
    ),
    Scene(
        "quota-exhausted",
        "the project's Compute quota is used up",
        _quota_exhausted,
        names=("FirewallReady", "QuotaExhausted"),
    ),
    Scene(
        "api-unavailable",
        "the Compute API answers 503",
        _api_unavailable,
        names=("FirewallReady", "CloudUnavailable"),
    ),
)
#: By name, in the order in which they are listed.
SCENES: Final[dict[str, Scene]] = {one.name: one for one in _ALL}
