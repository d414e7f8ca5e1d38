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

#: Memorystore for Redis Cluster ids: 1-63 characters. Source: redis_cluster_v1 `CreateClusterRequest.cluster_id`.
REDIS_CLUSTER_ID_PATTERN: Final = COMPUTE_NAME_PATTERN
REDIS_CLUSTER_ID_MAX: Final = 63

#: Memorystore for Valkey ids: 4-63 characters, a digit may come first. Source: memorystore_v1
#: `CreateInstanceRequest.instance_id`.
VALKEY_ID_PATTERN: Final = r"^[a-z0-9][-a-z0-9]{2,61}[a-z0-9]$"
VALKEY_ID_MAX: Final = 63

#: A full DNS name: labels as RFC 1123 has them, at least two, and the last is no number (that would be an address).
FULL_DNS_NAME_PATTERN: Final = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"

#: E-mails of service accounts: a project's own, and Google's defaults (…-compute@developer, …@appspot). Source: IAM,
#: "Types of service accounts".
SERVICE_ACCOUNT_PATTERN: Final = (
    r"^[a-z0-9]([-.a-z0-9]{0,62}[a-z0-9])?@([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+gserviceaccount\.com$"
)
SERVICE_ACCOUNT_MAX: Final = 253

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

#: At most 10 target service accounts a rule. Source: the same.
FIREWALL_SERVICE_ACCOUNTS_MAX: Final = 10

#: Network tag of Redis machines where a spec names neither tags nor service accounts.
REDIS_TAG: Final = "redis-instance"

#: Connectors use private ranges. Source: RFC 1918, which Google's page asks for.
PRIVATE_RANGES: Final = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
)

#: Direct VPC egress: the smallest subnet, and the ranges that may be used beside RFC 1918. Source: Google's page on
#: Direct VPC egress (/26 or larger; RFC 6598 and class E).
DIRECT_VPC_PREFIX_LENGTH_MAX: Final = 26
DIRECT_VPC_RANGES: Final = (*PRIVATE_RANGES, IPv4Network("100.64.0.0/10"), IPv4Network("240.0.0.0/4"))

PORT: Final = (1, 65535)

#: Namespaces are DNS labels. Source: Kubernetes, "Object Names and IDs".
NAMESPACE_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

#: Names of Secrets are DNS subdomains. Source: same page.
OBJECT_NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

#: Keys of a Secret. Source: Kubernetes API, `Secret.data`.
SECRET_KEY_PATTERN: Final = r"^[-._a-zA-Z0-9]+$"  # noqa: S105 - a pattern, no secret

#: A DNS name as certificates carry it.
DNS_NAME_PATTERN: Final = (
    r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)

#: What a check of the probe's chain may be called: a DNS label, as it ends in status and metrics.
CHECK_NAME_PATTERN: Final = COMPUTE_NAME_PATTERN

#: What a key that a probe writes begins with: printable, so that whoever finds it can tell whose it is.
REDIS_KEY_PREFIX_PATTERN: Final = r"^[!-~]{1,128}$"

#: A TCP port, 1 to 65535, in decimal.
_PORT_PATTERN: Final = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

#: Names with `*` for any characters, as a policy lists them: of namespaces (which may start with a digit), projects,
#: networks, subnets and environments, which are all made of these characters.
NAME_GLOB_PATTERN: Final = r"^[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?$"
NAME_GLOB_MAX: Final = 63

#: Entries of one list of a policy: few enough that a refusal can name them all within the 5 KiB that the API server
#: allows for a message.
POLICY_LIST_MAX: Final = 64

#: The widest public range that a policy may allow targets in.
PUBLIC_RANGE_WIDEST: Final = 16

#: An http or https URL with a host, and perhaps a port and a path. One expression for the API server and for us: what
#: Go and Python think a URL is differs at the edges.
HTTP_URL_PATTERN: Final = (
    r"^https?://([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:" + _PORT_PATTERN + r")?([/?][!-~]*)?$"
)

#: The same for what a probe asks: by name or IPv4 address, as the network it runs in is.
CHECK_URL_PATTERN: Final = r"^https?://[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(:" + _PORT_PATTERN + r")?([/?][!-~]*)?$"

_OCTET: Final = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

#: An http URL of a loopback or private (RFC 1918) address, for what must not cross a public network unencrypted. It
#: asks nothing of the path, which HTTP_URL_PATTERN looks at. A name is not enough: who answers to it can change.
NEAR_HTTP_URL_PATTERN: Final = (
    rf"^http://((127|10)(\.{_OCTET}){{3}}|172\.(1[6-9]|2[0-9]|3[01])(\.{_OCTET}){{2}}|192\.168(\.{_OCTET}){{2}}|\[::1\])"
    r"(:[0-9]+)?([/?].*)?$"
)

#: Redis's own port, and the one a Memorystore instance with in-transit encryption listens on.
REDIS_PORT: Final = 6379

#: Ports of the nodes of a Redis Cluster, or of a Valkey instance, next to the one its endpoints show. Source: Google's
#: pages on connecting to both ("you must allow TCP port 6379, as well as TCP ports 11000 through 13047").
NODE_PORTS: Final = (11000, 13047)

#: Network tags that Google puts on every connector's machines. Source: Google's page on connecting to a VPC network.
CONNECTOR_TAG: Final = "vpc-connector"


#: What a connector's machines talk to: Google's infrastructure, and its health checks.
#: Source: same page, the rules for service projects.
CONNECTOR_INFRASTRUCTURE_RANGE: Final = IPv4Network("35.199.224.0/19")
CONNECTOR_HEALTH_CHECK_RANGES: Final = (
    IPv4Network("35.191.0.0/16"),
    IPv4Network("35.191.192.0/18"),
    IPv4Network("130.211.0.0/22"),
)


def connector_tag(region: str, connector: str) -> str:
    """The network tag that only this connector's machines carry (the region keeps its hyphens)."""
    return f"{CONNECTOR_TAG}-{region}-{connector}"


def connector_name_weight(name: str) -> int:
    """The length of a connector's name as Google's page counts it: a hyphen counts as two characters."""
    return len(name) + name.count("-")


def is_direct_vpc_range(network: IPv4Network) -> bool:
    """Whether Direct VPC egress may use a subnet of this range."""
    return any(network.subnet_of(one) for one in DIRECT_VPC_RANGES)


def is_private(network: IPv4Network) -> bool:
    """Whether the whole range lies in RFC 1918 space."""
    return any(network.subnet_of(private) for private in PRIVATE_RANGES)
