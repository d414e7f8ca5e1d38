"""One environment of a running lab, with eyes and hands: its rules, its connectors, a PING from where it counts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from redis_connectivity.core.identity import read_marker
from redis_connectivity.probes.model import ProbeAnswer
from redis_connectivity_lab.asking import Vigil, ask_prober
from redis_connectivity_lab.cloudside import CloudSide
from redis_connectivity_lab.emulator.control_client import ControlClient
from redis_connectivity_lab.worlds import REGION, SOMEBODY, Environment

__all__ = ["Body", "Kubectl", "NothingThereError", "Site", "told"]

Body = dict[str, Any]


class Kubectl(Protocol):
    """Runs kubectl; gives its standard output."""

    def __call__(self, *arguments: str, stdin: str | None = None) -> str: ...  # noqa: D102


class NothingThereError(Exception):
    """What should be broken (or looked at) is not there; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Site:
    """An environment in a cloud."""

    cloud: CloudSide
    env: Environment
    #: Runs kubectl as an administrator; None where there is no cluster beside the cloud.
    kubectl: Kubectl | None = None

    @property
    def control(self) -> ControlClient:
        """The emulator's control client."""
        return self.cloud.control

    @property
    def prober_url(self) -> str:
        """Where the environment's prober answers."""
        return self.env.prober_url(self.cloud.url)

    def ask(self) -> ProbeAnswer:
        """One PING from behind the connector."""
        return ask_prober(self.prober_url, self.env.target)

    def vigil(self) -> Vigil:
        """One PING after another from behind the connector."""
        return Vigil(self.prober_url, self.env.target)

    # --- what is there

    def rules(self) -> dict[str, Body]:
        """All firewall rules by name, Google's own included."""
        return {one["name"]: one for one in self.control.list("firewalls", self.env.project)}

    def own_rules(self) -> dict[str, Body]:
        """The operator's rules: those that carry its marker."""
        return {name: one for name, one in self.rules().items() if _direction(one)}

    def foreign_rules(self) -> dict[str, Body]:
        """Rules that people made; Google's own for a connector come and go with it and do not count."""
        return {name: one for name, one in self.rules().items() if not _direction(one) and not name.startswith("aet-")}

    def opening_rule(self) -> Body:
        """The operator's rule without which the path is shut."""
        for one in self.own_rules().values():
            if _direction(one) == self.env.opening:
                return one
        raise NothingThereError(
            f"project {self.env.project} has no {self.env.opening} rule of the operator's yet: apply {self.env.word}'s"
            f" resource first (`redis-connectivity lab status` says how)"
        )

    def rule(self, name: str) -> Body | None:
        """One rule, or None."""
        return self.rules().get(name)

    def connectors(self) -> dict[str, str]:
        """State by name of the connectors."""
        found = self.control.list("connectors", self.env.project)
        return {str(one["name"]).rsplit("/", 1)[-1]: str(one["state"]) for one in found}

    def connector_state(self) -> str:
        """The connector's state; raises NothingThereError where there is none."""
        state = self.connectors().get(self.env.connector)
        if state is None:
            raise NothingThereError(
                f"project {self.env.project} has no connector {self.env.connector} yet: apply {self.env.word}'s"
                " resource first (`redis-connectivity lab status` says how)"
            )
        return state

    # --- what somebody does to it

    def change_rule(self, name: str, **fields: object) -> None:
        """Somebody changes fields of a rule."""
        self.control.patch("firewalls", self.env.project, name, actor=SOMEBODY, **fields)
        self.cloud.settle()

    def delete_rule(self, name: str) -> None:
        """Somebody deletes a rule."""
        self.control.delete("firewalls", self.env.project, name, actor=SOMEBODY)
        self.cloud.settle()

    def put_rule(self, name: str, **fields: object) -> None:
        """Somebody makes a rule on the environment's network."""
        self.control.put("firewalls", self.env.project, name, actor=SOMEBODY, network=self.env.network, **fields)
        self.cloud.settle()

    def set_connector_state(self, state: str) -> None:
        """The connector turns to a state, as Google's own trouble does it."""
        self.control.patch("connectors", self.env.project, REGION, self.env.connector, state=state)
        self.cloud.settle()

    def delete_connector(self) -> None:
        """Somebody deletes the connector."""
        self.control.delete("connectors", self.env.project, REGION, self.env.connector, actor=SOMEBODY)
        self.cloud.settle()

    # --- what somebody declares

    @property
    def cluster(self) -> Kubectl:
        """Kubectl as an administrator; raises NothingThereError where there is no cluster."""
        if self.kubectl is None:
            raise NothingThereError("there is no cluster here, so nobody can declare anything")
        return self.kubectl

    def redeclare(self, **spec: object) -> None:
        """Somebody deletes the resource and makes it anew, with these fields of the spec otherwise (None: without)."""
        manifest = self.env.manifest(self.cloud.url)
        manifest["spec"] |= spec
        manifest["spec"] = {name: value for name, value in manifest["spec"].items() if value is not None}
        self.cluster("replace", "--force", "--grace-period=-1", "--timeout=90s", "-f", "-", stdin=json.dumps(manifest))

    def patch(self, **spec: object) -> None:
        """Somebody changes fields of the spec in place."""
        text = json.dumps({"spec": spec})
        self.cluster("patch", "rconn", self.env.resource, "-n", self.env.namespace, "--type=merge", "-p", text)

    def declared(self) -> Body:
        """The spec as it is declared now; raises NothingThereError where nothing is."""
        name, namespace = self.env.resource, self.env.namespace
        text = self.cluster("get", "rconn", name, "-n", namespace, "-o", "json", "--ignore-not-found")
        if not text.strip():
            raise NothingThereError(
                f"resource {name} is not there yet: apply {self.env.word}'s first (`redis-connectivity lab status` says"
                " how)"
            )
        return dict(json.loads(text)["spec"])

    # --- what the operator does, as the audit log has it

    def mark(self) -> int:
        """The number of the audit log's last record."""
        return int(self.control.audit_summary(project=self.env.project)["last"])

    def operator_writes(self, since: int) -> list[Body]:
        """The operator's writes in the project after a mark."""
        return self.control.audit(since=since, project=self.env.project, kind="write")


def _direction(rule: Body) -> str | None:
    marker = read_marker(str(rule.get("description", "")))
    return marker.direction.value if marker is not None and marker.rule == rule["name"] else None


def told(rule: Body) -> str:
    """A rule in one line, much as gcloud lists it."""
    verb, entries = ("allow", rule["allowed"]) if "allowed" in rule else ("deny", rule["denied"])
    what = " ".join(_protocol(one) for one in entries)
    ends = [
        f"{word} {', '.join(rule[name])}"
        for name, word in (
            ("sourceRanges", "from"),
            ("destinationRanges", "to"),
            ("sourceTags", "from tag"),
            ("targetTags", "on tag"),
        )
        if rule.get(name)
    ]
    off = ", disabled" if rule.get("disabled") else ""
    return f"{rule['priority']:>5} {rule['direction']:7} {verb} {what} {' '.join(ends)}  ({rule['name']}{off})"


def _protocol(entry: Body) -> str:
    ports = ",".join(entry.get("ports", ()))
    return f"{entry['IPProtocol']}:{ports}" if ports else str(entry["IPProtocol"])
