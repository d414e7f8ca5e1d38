"""Limits and name forms of Google Cloud and Kubernetes, each once, with its source."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Final

#: RFC 1035 label as Compute enforces it for networks, subnetworks, firewall rules and network tags: 1-63 characters.
#: Source: Compute API discovery document, `Firewall.name`, `Network.name`, `Tags.items`.
COMPUTE_NAME_PATTERN: Final = r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
COMPUTE_NAME_MAX: Final = 63

#: The regular expression that the vpcaccess API enforces ("Connector ID must follow the pattern …"): 2-25 characters.
#: Source: public threads terraform-provider-google#13915 and pulumi-gcp#923.
CONNECTOR_NAME_PATTERN: Final = r"^[a-z][-a-z0-9]{0,23}[a-z0-9]$"
CONNECTOR_NAME_MAX: Final = 25

#: "Must be less than 21 characters, hyphens count as two": Google's page on connecting to a VPC network. Whether the
#: API enforces it is unclear, so names made here obey it and names given by users only have to match the pattern.
CONNECTOR_NAME_DOCUMENTED_WEIGHT: Final = 20

#: Project ids: 6-30 characters. Source: Resource Manager, "Creating and managing projects".
PROJECT_ID_PATTERN: Final = r"^[a-z][-a-z0-9]{4,28}[a-z0-9]$"
PROJECT_ID_MAX: Final = 30

#: Regions look like us-central1 or northamerica-northeast1; which exist is Google's to say.
REGION_PATTERN: Final = r"^[a-z]{2,}-[a-z]+[0-9]{1,2}$"

#: An environment becomes part of a network's name (`${environment}-vpc`), so both must fit in 63 characters.
ENVIRONMENT_PATTERN: Final = r"^[a-z]([-a-z0-9]{0,57}[a-z0-9])?$"
ENVIRONMENT_MAX: Final = COMPUTE_NAME_MAX - len("-vpc")

#: Memorystore for Redis instance ids: 1-40 characters. Source: redis_v1 `CreateInstanceRequest.instance_id`.
MEMORYSTORE_ID_PATTERN: Final = r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$"
MEMORYSTORE_ID_MAX: Final = 40

#: A connector placed by range needs exactly a /28. Source: Google's page on connecting to a VPC network.
CONNECTOR_PREFIX_LENGTH: Final = 28

#: Scaling bounds of a connector. Source: same page; the API refuses less than 2.
CONNECTOR_MIN_INSTANCES: Final = (2, 9)
CONNECTOR_MAX_INSTANCES: Final = (3, 10)

#: Firewall priorities: lower is stronger, DENY beats ALLOW at equal numbers. Source: `Firewall.priority`.
FIREWALL_PRIORITY: Final = (0, 65535)
FIREWALL_PRIORITY_DEFAULT: Final = 1000

#: At most 70 target tags a rule. Source: VPC firewall limits as kept in google/capirca.
FIREWALL_TARGET_TAGS_MAX: Final = 70

#: Connectors use private ranges. Source: RFC 1918, which Google's page asks for.
PRIVATE_RANGES: Final = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
)

PORT: Final = (1, 65535)

#: Namespaces are DNS labels. Source: Kubernetes, "Object Names and IDs".
NAMESPACE_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

#: An http or https URL with a host, and perhaps a port and a path. One expression for the API server and for us: what
#: Go and Python think a URL is differs at the edges.
HTTP_URL_PATTERN: Final = (
    r"^https?://([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?][!-~]*)?$"
)

#: Redis's own port, and the one a Memorystore instance with in-transit encryption listens on.
REDIS_PORT: Final = 6379

#: Network tags that Google puts on every connector's machines. Source: Google's page on connecting to a VPC network.
CONNECTOR_TAG: Final = "vpc-connector"


def connector_tag(region: str, connector: str) -> str:
    """The network tag that only this connector's machines carry (the region keeps its hyphens)."""
    return f"{CONNECTOR_TAG}-{region}-{connector}"


def connector_name_weight(name: str) -> int:
    """The length of a connector's name as Google's page counts it: a hyphen counts as two characters."""
    return len(name) + name.count("-")


def is_private(network: IPv4Network) -> bool:
    """Whether the whole range lies in RFC 1918 space."""
    return any(network.subnet_of(private) for private in PRIVATE_RANGES)
