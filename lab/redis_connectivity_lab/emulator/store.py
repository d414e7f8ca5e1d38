"""What the emulated cloud holds, project by project. Nothing is kept on disk.

Resources are the JSON that travels (enums as words). Whoever changes one calls `Store.touch`, which drops the
serialised lists of that project and tells the subscribers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from redis_connectivity_lab.emulator.errors import ApiError
from redis_connectivity_lab.emulator.ids import Ids, Json
from redis_connectivity_lab.topology import App, NetworkId, ServerCertificate, Topology

__all__ = [
    "Bindings",
    "Connector",
    "DirectVpc",
    "HiddenRule",
    "Policy",
    "Project",
    "Psc",
    "Redis",
    "Revision",
    "Service",
    "Store",
    "Vm",
]


@dataclass(slots=True)
class Connector:
    """A connector, and what its resource does not tell: its network and range, found when it was placed."""

    body: Json
    sequence: int
    network: NetworkId | None = None
    range: IPv4Network | None = None


@dataclass(slots=True)
class Redis:
    """A Memorystore instance, its AUTH string ("" when AUTH is off), and what it speaks TLS with, if it does."""

    body: Json
    network: NetworkId
    auth_string: str = ""
    certificate: ServerCertificate | None = None


@dataclass(slots=True)
class Psc:
    """A Redis Cluster or a Valkey instance, and the two addresses it has in its network (none while it is made).

    `authority` (PEM) and `certificate` are what it speaks TLS with, if it does.
    """

    body: Json
    network: NetworkId
    addresses: tuple[IPv4Address, ...] = ()
    authority: str = ""
    certificate: ServerCertificate | None = None


@dataclass(slots=True)
class Vm:
    """A Compute instance, and the Redis that the lab runs on it (none when `redis_port` is None)."""

    body: Json
    network: NetworkId
    redis_port: int | None = None
    redis_password: str | None = None
    redis_tls: ServerCertificate | None = None
    redis_config: tuple[str, ...] = ()
    app: App | None = None


@dataclass(frozen=True, slots=True)
class DirectVpc:
    """Where a service with Direct VPC egress stands: found when it is deployed, as with a revision."""

    network: NetworkId
    subnet: str
    range: IPv4Network
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """A running revision of a service that was deployed through the API, its way out, and what its prober was told."""

    name: str
    connector: str | None = None
    direct: DirectVpc | None = None
    args: tuple[str, ...] = ()


@dataclass(slots=True)
class Service:
    """A Cloud Run service.

    The lab puts one in by its connector, or subnet (Direct VPC egress); everybody may call it. One that was deployed
    through the API has a `body` and `revisions`, the newest last: while that starts, the one before it serves.
    """

    name: str
    region: str
    connector: str | None = None
    direct: DirectVpc | None = None
    body: Json | None = None
    revisions: tuple[Revision, ...] = ()


@dataclass(frozen=True, slots=True)
class HiddenRule:
    """A rule that Google makes for a connector (`aet-…`), and whose it is."""

    body: Json
    network: NetworkId
    connector: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A firewall policy in force on networks of a project (all of them when `networks` is empty).

    `kind` is HIERARCHY, NETWORK, NETWORK_REGIONAL or SYSTEM; a regional one names its region.
    """

    kind: str
    name: str
    short_name: str
    rules: tuple[Json, ...] = ()
    priority: int | None = None
    networks: frozenset[str] = frozenset()
    region: str | None = None


#: Principal → permission patterns.
Bindings = Mapping[str, frozenset[str]]


@dataclass(slots=True)
class Project:
    """One project's resources and settings."""

    id: str
    number: str
    networks: dict[str, Json] = field(default_factory=dict)
    subnetworks: dict[tuple[str, str], Json] = field(default_factory=dict)
    firewalls: dict[str, Json] = field(default_factory=dict)
    hidden_rules: dict[str, HiddenRule] = field(default_factory=dict)
    vms: dict[tuple[str, str], Vm] = field(default_factory=dict)
    connectors: dict[tuple[str, str], Connector] = field(default_factory=dict)
    redis: dict[tuple[str, str], Redis] = field(default_factory=dict)
    clusters: dict[tuple[str, str], Psc] = field(default_factory=dict)
    valkeys: dict[tuple[str, str], Psc] = field(default_factory=dict)
    services: dict[tuple[str, str], Service] = field(default_factory=dict)
    #: Container images that are in no registry; all others are, and hold this project's own program.
    missing_images: set[str] = field(default_factory=set)
    policies: dict[str, Policy] = field(default_factory=dict)
    #: Whether firewalls.list and the like show Google's own `aet-*` rules: public sources contradict each other.
    aet_visible: bool = True
    connectivity_tests: dict[str, Json] = field(default_factory=dict)
    #: Service accounts by e-mail, each with the access token it has now.
    accounts: dict[str, str] = field(default_factory=dict)
    disabled_apis: set[str] = field(default_factory=set)
    #: Principal → permission patterns; None lets everyone do everything.
    iam: Bindings | None = None
    #: Quota group → calls per minute; a group that is absent is unlimited.
    quotas: dict[str, int] = field(default_factory=dict)
    #: Paths with an operation under way.
    busy: set[str] = field(default_factory=set)
    #: Serialised answers, valid until the next change.
    answers: dict[tuple[str, ...], bytes] = field(default_factory=dict)
    #: The project's part of the topology, valid until the next change.
    part: Topology | None = None

    def visible_firewalls(self) -> list[Json]:
        """What firewalls.list shows, by name."""
        rules = list(self.firewalls.values())
        if self.aet_visible:
            rules += [hidden.body for hidden in self.hidden_rules.values()]
        return sorted(rules, key=lambda rule: str(rule["name"]))

    def find_firewall(self, name: str) -> Json | None:
        """A rule by name, as firewalls.get sees it."""
        rule = self.firewalls.get(name)
        if rule is None and self.aet_visible and (hidden := self.hidden_rules.get(name)):
            return hidden.body
        return rule


class Store:
    """All projects, and who wants to know of changes."""

    def __init__(self, ids: Ids, granted: Bindings | None = None) -> None:
        self._ids = ids
        #: Who may do what in a project that nobody has said anything about.
        self.granted = granted
        self._projects: dict[str, Project] = {}
        self._subscribers: list[Callable[[], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._notice: asyncio.Handle | None = None
        #: Grows with every change.
        self.version = 0

    def __iter__(self) -> Iterator[Project]:
        return iter(list(self._projects.values()))

    def __contains__(self, project: str) -> bool:
        return project in self._projects

    def add(self, project: str, number: str | None = None) -> Project:
        """The project, made if it is not there."""
        if project not in self._projects:
            self._projects[project] = Project(project, number or self._ids.project_number(), iam=self.granted)
            self.touch(self._projects[project])
        return self._projects[project]

    def find(self, project: str) -> Project | None:
        """The project by id or number, or None."""
        found = self._projects.get(project)
        if found is None and project.isdigit():
            return next((each for each in self._projects.values() if each.number == project), None)
        return found

    def get(self, project: str) -> Project:
        """The project; raises a plain 404 where it is not there (for the control endpoints)."""
        found = self.find(project)
        if found is None:
            raise ApiError(404, f"no project is named {project!r}")
        return found

    def remove(self, project: str) -> None:
        """Forget a project with everything in it."""
        if self._projects.pop(project, None) is not None:
            self._changed()

    def replace(self, project: str) -> Project:
        """The project made anew: empty, with default settings and the same number."""
        old = self._projects.pop(project, None)
        return self.add(project, old.number if old else None)

    def touch(self, project: Project) -> None:
        """Something in the project has changed."""
        project.answers.clear()
        project.part = None
        self._changed()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called after changes; returns what ends the subscription.

        It is called in the emulator's loop, once for any number of changes in one turn of the loop.
        """
        self._subscribers.append(callback)

        def end() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return end

    def bind(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Tell in which loop subscribers are called; None stops notices."""
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None
        self._loop = loop

    def _changed(self) -> None:
        self.version += 1
        if self._loop is not None and self._notice is None:
            self._notice = self._loop.call_soon(self._notify)

    def _notify(self) -> None:
        self._notice = None
        for callback in list(self._subscribers):
            callback()
