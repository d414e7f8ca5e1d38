"""Where Cloud Run's traffic comes from: the addresses and tags that rules can know it by."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from redis_connectivity.api.limits import CONNECTOR_TAG, connector_tag
from redis_connectivity.core.desired import DirectVpcWant
from redis_connectivity.core.reachability import Sender

__all__ = ["Source", "of_connector", "of_direct_vpc"]


@dataclass(frozen=True, slots=True)
class Source:
    """One range that traffic comes from.

    `tags` are those of the machines there. `aim` are the tags by which an egress rule of ours is aimed at them alone;
    without any, such a rule would be for every machine of the network. `tags_as_source` is False where Google does not
    say what a source tag in an ingress rule does.
    """

    range: IPv4Network
    tags: frozenset[str]
    aim: frozenset[str]
    tags_as_source: bool = True
    #: The connector's name, where it is one's range.
    connector: str = ""

    @property
    def sender(self) -> Sender:
        """As the reachability analyser has it."""
        return Sender(self.range, self.tags, tags_as_source=self.tags_as_source)


def of_connector(region: str, name: str, range_: IPv4Network) -> Source:
    """A connector's machines: one tag that all connectors have, and one of its own."""
    own = connector_tag(region, name)
    return Source(range_, frozenset({CONNECTOR_TAG, own}), frozenset({own}), connector=name)


def of_direct_vpc(want: DirectVpcWant, range_: IPv4Network) -> Source:
    """Revisions with Direct VPC egress: any address of the subnet, and the revision's tags on its egress only."""
    return Source(range_, want.tags, want.tags, tags_as_source=False)
