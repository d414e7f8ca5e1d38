"""How scenes break networks, connectors and what is declared about them; `scenes` gives them names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from redis_connectivity_lab.controlplane.waiting import wait_until
from redis_connectivity_lab.operator_process import PROBER_IMAGE
from redis_connectivity_lab.site import Body, Site
from redis_connectivity_lab.worlds import REGION, Environment
from redis_connectivity_lab.wound import Wound

__all__ = [
    "OTHER_NETWORK",
    "api_disabled",
    "connector_conflict",
    "connector_creation_failed",
    "connector_gone_elsewhere",
    "connector_in_another_region",
    "connector_rules_shadowed",
    "connector_state",
    "credentials_refused",
    "declared",
    "peering_missing",
    "policy_deny",
    "prober_gone",
    "prober_not_deployed",
    "redeclared",
    "subnet_elsewhere",
    "subnet_too_wide",
    "update_fails",
]

#: A network that nothing of the path is on.
OTHER_NETWORK: Final = "other-vpc"
#: A connector beside the environment's own, on a range of its own.
SECOND: Final = {"name": "second-conn", "ipCidrRange": "10.77.0.0/28"}
_UNHEALTHY: Final = (
    "An internal error occurred: VPC Access connector failed to get healthy. Please check GCE quotas, logs and org"
    " policies and recreate."
)


def declared(done: str, watch: str, spec: Callable[[Environment], Body]) -> Callable[[Site], Wound]:
    """Somebody declares the path wrongly: the resource is deleted, and made anew with other fields."""

    def act(site: Site) -> Wound:
        return redeclared(site, done, watch, spec(site.env))

    return act


def redeclared(site: Site, done: str, watch: str, spec: Body, undo: Callable[[], None] = lambda: None) -> Wound:
    """The same for a site at hand. `undo` takes away what was made for it."""
    before = site.declared()
    site.redeclare(**spec)
    wrong = site.declared()

    def heal() -> None:
        undo()
        site.redeclare()

    return Wound(done, watch, lambda: before != wrong and site.declared() == wrong, heal)


# --- the network


def subnet_too_wide(site: Site) -> Wound:
    """The subnet that is meant for the connector is a /24."""
    project = site.env.project
    site.control.put("subnetworks", project, REGION, "wide", network=site.env.network, ipCidrRange="10.9.0.0/24")

    def undo() -> None:
        site.control.delete("subnetworks", project, REGION, "wide")

    spec = {"connector": {"subnet": {"name": "wide"}}}
    return redeclared(site, "declared subnet wide, a /24, for the connector", "NetworkReady says why", spec, undo)


def subnet_elsewhere(site: Site) -> Wound:
    """The subnet that was made for the connector is in another region."""
    key = (site.env.project, "europe-west1", "connectors")
    site.control.put("subnetworks", *key, network=site.env.network, ipCidrRange="10.9.0.0/28")
    return redeclared(
        site,
        "declared subnet connectors, which is in europe-west1",
        "NetworkReady turns False; the diagnosis names the region",
        {"connector": {"subnet": {"name": "connectors"}}},
        lambda: site.control.delete("subnetworks", *key),
    )


def peering_missing(site: Site) -> Wound:
    """Somebody deletes the peering with Google's network."""
    project, network = site.env.project, site.env.network
    before = _network(site)["peerings"]
    site.control.patch("networks", project, network, peerings=[])
    return Wound(
        f"deleted the peering of network {network} with Memorystore",
        "RedisReady turns False: no firewall rule can help",
        lambda: not _network(site).get("peerings"),
        lambda: _patch_peerings(site, before),
    )


def _patch_peerings(site: Site, peerings: list[Body]) -> None:
    site.control.patch("networks", site.env.project, site.env.network, peerings=peerings)


def _network(site: Site) -> Body:
    return next(one for one in site.control.list("networks", site.env.project) if one["name"] == site.env.network)


def policy_deny(site: Site) -> Wound:
    """The organisation's own policy denies the path's traffic, before any VPC rule is asked."""
    env, name = site.env, "org-baseline"
    ranges = {"srcIpRanges": ["0.0.0.0/0"]} if env.opening == "INGRESS" else {"destIpRanges": ["0.0.0.0/0"]}
    rule = {
        "priority": 10,
        "action": "deny",
        "direction": env.opening,
        "match": {"layer4Configs": [{"ipProtocol": "tcp", "ports": ["6379"]}], **ranges},
    }
    site.control.put("policies", env.project, name, type="HIERARCHY", shortName=name, rules=[rule])
    site.cloud.settle()

    def undo() -> None:
        site.control.delete("policies", env.project, name)
        site.cloud.settle()

    return Wound(
        f"the organisation's policy {name} denies {env.opening.lower()} on tcp:6379",
        "FirewallReady turns False and names the policy, which no VPC rule can beat",
        lambda: any(one["name"] == name for one in site.control.list("policies", env.project)),
        undo,
    )


# --- the connector


def connector_state(state: str) -> Callable[[Site], Wound]:
    """A connector that somebody else made turns to a state."""

    def act(site: Site) -> Wound:
        name = site.env.connector
        site.set_connector_state(state)
        return Wound(
            f"connector {name} is {state}",
            "ConnectorReady turns False with the connector's state",
            lambda: site.connectors().get(name) == state,
            lambda: site.set_connector_state("READY"),
        )

    return act


def connector_gone_elsewhere(site: Site) -> Wound:
    """Somebody makes the connector anew, on another network."""
    project, name, before = site.env.project, site.env.connector, _connector(site)
    site.control.put("networks", project, OTHER_NETWORK)
    _put_connector(site, before | {"network": OTHER_NETWORK})

    def undo() -> None:
        _put_connector(site, before)
        site.control.delete("networks", project, OTHER_NETWORK)

    return Wound(
        f"connector {name} was made anew on network {OTHER_NETWORK}",
        "ConnectorReady turns False and names both networks",
        lambda: _connector(site)["network"] == OTHER_NETWORK,
        undo,
    )


def connector_in_another_region(site: Site) -> Wound:
    """The path is declared to a connector that somebody has made in another region, on the same network."""
    project, region = site.env.project, "europe-west1"
    connector, subnet = ("connectors", project, region, "far-conn"), ("subnetworks", project, region, "far")
    site.control.put(*subnet, network=site.env.network, ipCidrRange="10.153.0.0/24")
    site.control.put(*connector, network=site.env.network, ipCidrRange="10.152.0.0/28")

    def undo() -> None:
        site.control.delete(*connector)
        site.control.delete(*subnet)

    return redeclared(
        site,
        f"declared far-conn, a connector in {region} that others look after",
        "ConnectorReady turns False; the diagnosis names the region",
        {"connector": {"name": "far-conn", "ipCidrRange": "10.152.0.0/28", "management": "Observed"}},
        undo,
    )


def _connector(site: Site) -> Body:
    site.connector_state()
    path = site.env.connector_path
    return next(one for one in site.control.list("connectors", site.env.project) if one["name"] == path)


def _put_connector(site: Site, body: Body) -> None:
    fields = ("network", "ipCidrRange", "minInstances", "maxInstances", "machineType")
    site.control.put(
        "connectors",
        site.env.project,
        REGION,
        site.env.connector,
        actor="terraform@example.com",
        **{name: body[name] for name in fields if name in body},
    )
    site.cloud.settle()


def connector_conflict(site: Site) -> Wound:
    """The connector is declared on a range that a route of the peering has; Google tells only in the end."""
    spec = {"connector": {"name": SECOND["name"], "ipCidrRange": "10.129.0.0/28"}}
    done = "declared a connector on 10.129.0.0/28, where the peering's route leads"
    return redeclared(site, done, "Google takes the range, and leaves the connector in ERROR", spec)


def connector_creation_failed(site: Site) -> Wound:
    """Google cannot create the connector."""
    fault = _creation_fault(site)
    done = "declared a connector whose machines never get healthy"
    watch = "ConnectorReady has what Google's operation told"
    return redeclared(site, done, watch, {"connector": SECOND}, lambda: site.control.remove_fault(fault))


def connector_rules_shadowed(site: Site) -> Wound:
    """Somebody denies the health checks of connectors, and the next connector never gets healthy."""
    deny: Body = {
        "direction": "INGRESS",
        "priority": 50,
        "denied": [{"IPProtocol": "tcp", "ports": ["667"]}],
        "sourceRanges": ["35.191.0.0/16", "130.211.0.0/22"],
    }
    site.put_rule("no-health-checks", **deny)
    fault = _creation_fault(site)
    _until_listed(site, "compute.firewalls.list")

    def undo() -> None:
        site.control.remove_fault(fault)
        site.delete_rule("no-health-checks")

    done = "made deny no-health-checks (priority 50) and declared another connector"
    watch = "Google's own rules for connectors have priority 100; ConnectorReady tells that it cannot be created"
    return redeclared(site, done, watch, {"connector": SECOND}, undo)


def _creation_fault(site: Site) -> str:
    return site.control.fault(
        "vpcaccess.connectors.create", "fail_operation", project=site.env.project, code=13, message=_UNHEALTHY
    )


def _until_listed(site: Site, method: str) -> None:
    """Wait until the operator has looked again: in life this would have been there for days."""
    mark = site.mark()
    wait_until(
        lambda: site.control.audit(since=mark, project=site.env.project, method=method),
        deadline=30,
        describe=f"the operator to call {method}",
    )


def prober_gone(site: Site) -> Wound:
    """Somebody deletes the prober."""
    env = site.env
    site.control.delete("services", env.project, REGION, "prober")
    site.cloud.settle()

    def undo() -> None:
        site.control.put("services", env.project, REGION, "prober", connector=env.connector_path)
        site.cloud.settle()

    return Wound(
        "deleted the prober's Cloud Run service",
        "Reachable turns Unknown: nothing is known about Redis any more",
        lambda: not site.control.list("services", env.project),
        undo,
    )


def prober_not_deployed(site: Site) -> Wound:
    """The operator is to deploy the prober, and its image is gone from the registry."""
    project, probe = site.env.project, site.env.manifest(site.cloud.url)["spec"]["probe"]
    site.control.project(project, missingImages=[PROBER_IMAGE])
    site.patch(probe={"from": "CloudRun", "proberUrl": None})

    def still() -> bool:
        listed = site.control.request("GET", "projects")["projects"]
        return any(one["id"] == project and one["missingImages"] for one in listed)

    def undo() -> None:
        site.control.project(project, missingImages=[])
        site.patch(probe={"from": None, **probe})

    return Wound(
        f"took image {PROBER_IMAGE} away from Cloud Run, and declared probe.from: CloudRun",
        "Reachable turns Unknown and has what Cloud Run says",
        still,
        undo,
    )


# --- Google's APIs


def api_disabled(site: Site) -> Wound:
    """Somebody disables the API of connectors."""
    project, service = site.env.project, "vpcaccess"
    site.control.project(project, disabledApis=[service])

    def still() -> bool:
        listed = site.control.request("GET", "projects")["projects"]
        return any(one["id"] == project and one["disabledApis"] for one in listed)

    return Wound(
        f"disabled API {service} in project {project}",
        "ConnectorReady names the API",
        still,
        lambda: _enable(site),
    )


def _enable(site: Site) -> None:
    site.control.project(site.env.project, disabledApis=[])


def credentials_refused(site: Site) -> Wound:
    """Google takes the operator for nobody."""
    fault = site.control.fault(
        "*", project=site.env.project, status=401, message="Request had invalid authentication credentials."
    )
    return Wound(
        "Google answers 401 to every call",
        "NetworkReady turns False: the operator's credentials are of no use",
        lambda: any(one["id"] == fault for one in site.control.request("GET", "faults")["faults"]),
        lambda: site.control.remove_fault(fault),
    )


def update_fails(site: Site) -> Wound:
    """A change of the rule is declared, and Google's operation fails each time."""
    fault = site.control.fault(
        "compute.firewalls.update",
        "fail_operation",
        project=site.env.project,
        code="RESOURCE_NOT_READY",
        message="The resource is not ready.",
    )
    site.declared()
    site.patch(firewall={"logging": "DISABLED"})

    def undo() -> None:
        site.control.remove_fault(fault)
        site.patch(firewall=None)

    return Wound(
        "declared the rules without logging, and Google fails to change them",
        "FirewallReady has Google's own text; traffic still passes",
        lambda: any(one["id"] == fault for one in site.control.request("GET", "faults")["faults"]),
        undo,
    )
