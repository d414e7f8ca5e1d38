"""What to do: the writes that a plan asks for, each with its reason, in the order they must happen."""

from __future__ import annotations

from dataclasses import dataclass

from redis_connectivity.core.cloudvalues import Connector, FirewallRule
from redis_connectivity.core.desired import ConnectorWant

__all__ = [
    "CloudAction",
    "CreateConnector",
    "DeleteConnector",
    "DeleteRule",
    "InsertRule",
    "PatchConnector",
    "UpdateRule",
]


@dataclass(frozen=True, slots=True)
class CreateConnector:
    """Create the connector by its full name.

    `network` is a bare name and empty for a subnet's connector; `subnet_project` is where that subnet is.
    """

    connector: str
    want: ConnectorWant
    network: str
    why: str
    subnet_project: str = ""

    @property
    def summary(self) -> str:
        """One line for people."""
        place = f"range {self.want.ip_cidr_range}" if self.want.ip_cidr_range else f"subnet {self.want.subnet}"
        return f"create connector {self.want.name} ({place})"


@dataclass(frozen=True, slots=True)
class PatchConnector:
    """Change the connector in place. None for a field: leave it. Counts are always sent as a pair."""

    connector: Connector
    machine_type: str | None
    counts: tuple[int, int] | None
    why: str

    @property
    def summary(self) -> str:
        """One line for people."""
        parts = [f"machineType {self.machine_type}"] if self.machine_type else []
        parts += [f"instances {self.counts[0]} to {self.counts[1]}"] if self.counts else []
        return f"change connector {self.connector.name}: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class DeleteConnector:
    """Delete a connector that is ours."""

    connector: Connector
    why: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"delete connector {self.connector.name}"


@dataclass(frozen=True, slots=True)
class InsertRule:
    """Create a firewall rule."""

    rule: FirewallRule
    why: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"create firewall rule {self.rule.name} ({self.rule.direction}, priority {self.rule.priority})"


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """Replace a firewall rule that is ours, with every field. `fields` are the names of those that differ."""

    before: FirewallRule
    rule: FirewallRule
    fields: tuple[str, ...]
    why: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"update firewall rule {self.rule.name} ({', '.join(self.fields)})"


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """Delete a firewall rule that is ours."""

    rule: FirewallRule
    why: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"delete firewall rule {self.rule.name}"


CloudAction = CreateConnector | PatchConnector | DeleteConnector | InsertRule | UpdateRule | DeleteRule
