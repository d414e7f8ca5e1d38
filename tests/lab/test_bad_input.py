"""Bad input, case by case: where it is refused, and the words that tell a stranger what to mend.

Three gates, one table. What the API server can know it refuses itself; the models refuse the same, for `plan` and for
what was stored before the CRD became as strict as it is; what only the cloud can know becomes conditions with a reason,
a message and a remedy.
"""

from __future__ import annotations

import copy
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from redis_connectivity.api.base import API_VERSION, KIND, PLURAL
from redis_connectivity.api.crd import crd
from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity_lab.controlplane import ControlPlane, find
from redis_connectivity_lab.controlplane.rest import ApiError
from redis_connectivity_lab.emulator import ControlClient, EmulatorThread, Timings
from redis_connectivity_lab.operator_process import OperatorProcess
from redis_connectivity_lab.stack import install_manifests
from support.waiting import wait_until

Spec = dict[str, Any]

VM: Spec = {
    "environment": "staging",
    "projectId": "acme-staging",
    "region": "us-central1",
    "network": {"name": "staging-vpc"},
    "connector": {"name": "staging-connector", "ipCidrRange": "10.2.0.0/28", "minInstances": 2, "maxInstances": 3},
    "redis": {"vm": {"host": "10.128.0.5", "port": 6379, "targetTags": ["redis-instance"]}},
    "firewall": {"priority": 900},
    "probe": {"interval": "30s", "timeout": "5s", "proberUrl": "https://prober-abc-uc.a.run.app"},
    "suspend": True,
}
#: As the user of the smallest useful resource has it.
MEMORYSTORE: Spec = {
    "environment": "staging",
    "projectId": "acme-staging",
    "region": "us-central1",
    "connector": {"ipCidrRange": "10.2.0.0/28"},
    "redis": {"memorystore": {"instance": "chat-cache"}},
    "suspend": True,
}
CLUSTER: Spec = {**MEMORYSTORE, "redis": {"cluster": {"name": "chat"}}}
#: Who connects where IAM decides.
ACCOUNT = "chat@acme-staging.iam.gserviceaccount.com"
VALKEY: Spec = {**MEMORYSTORE, "redis": {"valkey": {"instance": "chat"}}}
ENDPOINT: Spec = {**MEMORYSTORE, "redis": {"endpoint": {"host": "10.128.0.9", "port": 6379}}}
ABSENT = object()


def changed(spec: Spec, changes: Mapping[str, object]) -> Spec:
    """A copy of a spec with values at dotted paths set, or removed where they are ABSENT."""
    result = copy.deepcopy(spec)
    for path, value in changes.items():
        *parents, last = path.split(".")
        holder = result
        for parent in parents:
            holder = holder.setdefault(parent, {})
        if value is ABSENT:
            del holder[last]
        else:
            holder[last] = value
    return result


@dataclass(frozen=True)
class Case:
    """One bad change to a good spec. `before` makes it an update of that."""

    name: str
    changes: Mapping[str, object]
    words: tuple[str, ...]
    good: Spec = field(default_factory=lambda: VM)
    before: Spec | None = None

    @property
    def spec(self) -> Spec:
        return changed(self.good, self.changes)


def bad(path: str, value: object, *words: str, name: str = "", good: Spec = VM) -> Case:
    """A case of one field."""
    shown = "absent" if value is ABSENT else (json.dumps(value) if value != "" else "empty")
    return Case(name or f"{path}={shown[:40]}", {path: value}, (f"spec.{path}".split("[")[0], *words), good)


def unknown(path: str, value: object) -> Case:
    """A field that nobody knows, as kubectl asks the API server to refuse it."""
    return Case(f"unknown-{path}", {path: value}, (f'unknown field "spec.{path}"',))


def update(name: str, before: Spec, after: Spec, *words: str) -> Case:
    """A case of two specs, the first of which is stored."""
    return Case(name, {}, words, after, before)


PING = {"redisPing": {}}
HTTP = {"http": {"name": "chat", "url": "http://10.128.0.9:8080/healthz"}}


def http(**fields: object) -> dict[str, object]:
    """An http check with some fields set."""
    return {"http": {**HTTP["http"], **fields}}


def chain(name: str, checks: object, words: str, *, where: str = "", prober: object = "https://p.run.app") -> Case:
    """A case of a chain of checks; `where` is behind spec.probe.checks, for what one check alone can tell."""
    field = f"spec.probe.checks{where}" if where else "spec.probe"
    changes = {"probe.checks": checks, "probe.proberUrl": ABSENT if prober is None else prober}
    return Case(f"checks-{name}", changes, (field, words))


LABEL = ("characters of a-z, 0-9 and '-'", "starting with a letter")
RANGE = "spec.connector.ipCidrRange"
CASES = [
    # --- the connector's range
    bad("connector.ipCidrRange", "10.2.0.0/24", "must be a /28"),
    bad("connector.ipCidrRange", "10.2.0.0/29", "must be a /28"),
    bad("connector.ipCidrRange", "10.2.0.0/32", "must be a /28"),
    bad("connector.ipCidrRange", "0.0.0.0/0", "must be a /28"),
    bad("connector.ipCidrRange", "10.2.0.1/28", "bits set behind the prefix"),
    bad("connector.ipCidrRange", "8.8.8.0/28", "must be private (RFC 1918)", "10.0.0.0/8"),
    bad("connector.ipCidrRange", "172.32.0.0/28", "must be private (RFC 1918)"),
    bad("connector.ipCidrRange", "100.64.0.0/28", "must be private (RFC 1918)"),
    bad("connector.ipCidrRange", "2001:db8::/28", "must be an IPv4 range such as 10.2.0.0/28"),
    bad("connector.ipCidrRange", "2001:db8:aaaa:bbbb:cccc:dddd::/124", "must be an IPv4 range"),
    bad("connector.ipCidrRange", "ten-dot-two", "must be an IPv4 range"),
    bad("connector.ipCidrRange", "", "must be an IPv4 range"),
    bad("connector.ipCidrRange", "10.2.0.0", "must be an IPv4 range"),
    bad("connector.ipCidrRange", "10.2.0.0/255.255.255.240", "must be an IPv4 range"),
    bad("connector.ipCidrRange", "10.2.0.0/028", "must be an IPv4 range"),
    bad("connector.ipCidrRange", "10.2.0.0 /28", "must be an IPv4 range"),
    bad("connector.ipCidrRange", 10, "must be of type string"),
    # --- where the connector is
    Case("range-and-subnet", {"connector.subnet": {"name": "s"}}, ("spec.connector", "exactly one of ipCidrRange and")),
    Case("neither-range-nor-subnet", {"connector.ipCidrRange": ABSENT}, ("spec.connector", "exactly one of")),
    Case("range-is-null", {"connector.ipCidrRange": None}, ("spec.connector", "exactly one of ipCidrRange and subnet")),
    Case(
        "subnet-without-name",
        {"connector": {"subnet": {}}},
        ("spec.connector.subnet.name", "Required value"),
    ),
    Case("subnet-name", {"connector": {"subnet": {"name": "Sub"}}}, ("spec.connector.subnet.name", *LABEL)),
    # --- replacing the connector
    bad("connector.replacement", "Always", "supported values", "Never", "Recreate"),
    bad("connector.retire", "Old-Connector", "must be 2 to 25", *LABEL),
    bad("connector.retire", "c" * 26, "may not be more than 25"),
    # --- how Cloud Run enters
    Case(
        "neither-connector-nor-direct", {"connector": ABSENT}, ("spec", "exactly one of connector and directVpcEgress")
    ),
    Case(
        "connector-and-direct",
        {"directVpcEgress": {"subnet": "run"}},
        ("spec", "exactly one of connector and directVpcEgress says how Cloud Run enters"),
    ),
    Case(
        "direct-without-subnet",
        {"connector": ABSENT, "directVpcEgress": {"tags": ["chat"]}},
        ("spec.directVpcEgress.subnet", "Required value"),
    ),
    Case(
        "direct-subnet-as-link",
        {"connector": ABSENT, "directVpcEgress": {"subnet": "regions/r/subnetworks/run"}},
        ("spec.directVpcEgress.subnet", "must be 1 to 63", *LABEL),
    ),
    Case(
        "direct-tag",
        {"connector": ABSENT, "directVpcEgress": {"subnet": "run", "tags": ["Chat"]}},
        ("spec.directVpcEgress.tags", "must be 1 to 63", *LABEL),
    ),
    Case(
        "direct-tag-twice",
        {"connector": ABSENT, "directVpcEgress": {"subnet": "run", "tags": ["chat", "chat"]}},
        ("spec.directVpcEgress.tags", "Duplicate value"),
    ),
    Case(
        "direct-tags-too-many",
        {"connector": ABSENT, "directVpcEgress": {"subnet": "run", "tags": [f"t{n}" for n in range(71)]}},
        ("spec.directVpcEgress.tags", "at most 70 items"),
    ),
    Case(
        "direct-range",
        {"connector": ABSENT, "directVpcEgress": {"subnet": "run", "ipCidrRange": "10.2.0.0/26"}},
        ('unknown field "spec.directVpcEgress.ipCidrRange"',),
    ),
    Case(
        "direct-egress-not-aimed",
        {"connector": ABSENT, "directVpcEgress": {"subnet": "run"}, "firewall.egress": "Always"},
        ("spec", "firewall.egress: Always needs directVpcEgress.tags"),
    ),
    # --- Shared VPC
    bad("network.hostProjectId", "123456789012", "must be a project's id (not its number or title)"),
    bad("network.hostProjectId", "Acme-Host", "must be a project's id"),
    bad("connector.projectId", "acme", "must be a project's id"),
    Case(
        "connector-in-a-third-project",
        {"connector.projectId": "acme-other", "network.hostProjectId": "acme-host"},
        ("spec", "connector.projectId must be projectId or network.hostProjectId"),
    ),
    Case(
        "connector-elsewhere-without-shared-vpc",
        {"connector.projectId": "acme-other"},
        ("spec", "connector.projectId must be projectId or network.hostProjectId"),
    ),
    Case(
        "range-in-a-service-project",
        {"network.hostProjectId": "acme-host"},
        ("spec", "cannot take a range", "set connector.subnet to a /28 of the host project"),
    ),
    # --- names
    *(
        bad("environment", value, "must be 1 to 59", *LABEL, name=f"environment-{what}")
        for what, value in {
            "uppercase": "Staging",
            "leading-digit": "1staging",
            "leading-hyphen": "-staging",
            "trailing-hyphen": "staging-",
            "underscore": "my_env",
            "dot": "my.env",
            "space": "my env",
            "empty": "",
            "newline": "staging\n",
            "umlaut": "prüfung",
        }.items()
    ),
    bad("environment", "e" * 60, "may not be more than 59", name="environment-too-long"),
    bad("environment", 7, "must be of type string"),
    *(
        bad("projectId", value, "must be a project's id (not its number or title)", *LABEL, name=f"project-{what}")
        for what, value in {
            "uppercase": "Acme-Staging",
            "number": "123456789012",
            "too-short": "acme",
            "trailing-hyphen": "acme-staging-",
            "underscore": "acme_staging",
            "title": "Acme Staging",
            "empty": "",
        }.items()
    ),
    bad("projectId", "a" * 31, "may not be more than 30", name="project-too-long"),
    *(
        bad("region", value, "must be a region such as us-central1", name=f"region-{what}")
        for what, value in {
            "zone": "us-central1-a",
            "uppercase": "US-CENTRAL1",
            "word": "europe",
            "underscore": "us_central1",
            "trailing-hyphen": "us-central1-",
            "empty": "",
        }.items()
    ),
    bad("region", "us-" + "c" * 40 + "1", "may not be more than 32", name="region-too-long"),
    *(
        bad("network.name", value, "must be 1 to 63", *LABEL, name=f"network-{what}")
        for what, value in {
            "uppercase": "Staging-VPC",
            "leading-digit": "1-vpc",
            "trailing-hyphen": "staging-vpc-",
            "underscore": "staging_vpc",
            "self-link": "projects/p/global/networks/n",
            "empty": "",
        }.items()
    ),
    bad("network.name", "n" * 64, "may not be more than 63", name="network-too-long"),
    *(
        bad("connector.name", value, "must be 2 to 25", *LABEL, name=f"connector-{what}")
        for what, value in {
            "uppercase": "Staging",
            "leading-digit": "1-connector",
            "trailing-hyphen": "staging-",
            "underscore": "staging_connector",
            "one-letter": "c",
            "empty": "",
        }.items()
    ),
    bad("connector.name", "c" * 26, "may not be more than 25", name="connector-too-long"),
    # --- the target
    Case(
        "two-targets",
        {"redis.memorystore": {"instance": "chat-cache"}},
        ("spec.redis", "exactly one of memorystore, cluster, valkey, vm and endpoint"),
    ),
    Case("no-target", {"redis": {}}, ("spec.redis", "exactly one of memorystore, cluster, valkey, vm and endpoint")),
    Case(
        "target-is-null",
        {"redis.vm": None},
        ("spec.redis", "exactly one of memorystore, cluster, valkey, vm and endpoint"),
    ),
    bad("redis.vm.port", 0, "greater than or equal to 1"),
    bad("redis.vm.port", -1, "greater than or equal to 1"),
    bad("redis.vm.port", 65536, "less than or equal to 65535"),
    bad("redis.vm.port", "6379", "must be of type integer"),
    bad("redis.vm.port", 6379.5, "must be of type integer"),
    bad("redis.vm.port", True, "must be of type integer"),
    bad("redis.vm.host", "2001:db8::5", "must be an IPv4 address such as 10.128.0.5"),
    bad("redis.vm.host", "redis.internal", "must be an IPv4 address such as 10.128.0.5"),
    bad("redis.vm.host", "redis-master.staging.svc.cluster.local", "must be an IPv4 address"),
    bad("redis.vm.host", "256.1.1.1", "must be an IPv4 address"),
    bad("redis.vm.host", "10.128.0.05", "must be an IPv4 address"),
    bad("redis.vm.host", "10.128.0.5:6379", "must be an IPv4 address"),
    bad("redis.vm.host", "", "must be an IPv4 address"),
    bad("redis.vm.host", "127.0.0.1", "must be the address of a machine: not loopback"),
    bad("redis.vm.host", "169.254.169.254", "must be the address of a machine"),
    bad("redis.vm.host", "224.0.0.1", "must be the address of a machine"),
    bad("redis.vm.host", "0.0.0.0", "must be the address of a machine"),
    bad("redis.vm.host", "255.255.255.255", "must be the address of a machine"),
    bad("redis.vm.host", ABSENT, "Required value"),
    bad("redis.vm.targetTags", ["redis", "redis"], "Duplicate value"),
    bad("redis.vm.targetTags", [], "should have at least 1 items"),
    bad("redis.vm.targetTags", [f"tag-{n}" for n in range(71)], "must have at most 70 items", name="tags-too-many"),
    *(
        bad("redis.vm.targetTags", [value], "targetTags[0]", "must be 1 to 63", *LABEL, name=f"tag-{what}")
        for what, value in {
            "uppercase": "Redis",
            "leading-digit": "6379",
            "trailing-hyphen": "redis-",
            "underscore": "redis_instance",
            "empty": "",
        }.items()
    ),
    bad("redis.vm.targetTags", ["t" * 64], "targetTags[0]", "may not be more than 63", name="tag-too-long"),
    *(
        bad("redis.memorystore.instance", value, "must be 1 to 40", *LABEL, name=f"instance-{what}", good=MEMORYSTORE)
        for what, value in {
            "uppercase": "Chat",
            "leading-digit": "1chat",
            "trailing-hyphen": "chat-",
            "full-name": "projects/p/i",
            "empty": "",
        }.items()
    ),
    bad("redis.memorystore.instance", "i" * 41, "may not be more than 40", name="instance-too-long", good=MEMORYSTORE),
    bad("redis.memorystore.instance", ABSENT, "Required value", good=MEMORYSTORE),
    *(
        bad("redis.cluster.name", value, "must be 1 to 63", *LABEL, name=f"cluster-{what}", good=CLUSTER)
        for what, value in {
            "uppercase": "Chat",
            "leading-digit": "1chat",
            "trailing-hyphen": "chat-",
            "full-name": "projects/p/locations/r/clusters/chat",
            "empty": "",
        }.items()
    ),
    bad("redis.cluster.name", "c" * 64, "may not be more than 63", name="cluster-too-long", good=CLUSTER),
    bad("redis.cluster.name", ABSENT, "Required value", good=CLUSTER),
    bad("redis.cluster.instance", "chat", 'unknown field "spec.redis.cluster.instance"', good=CLUSTER),
    *(
        bad("redis.valkey.instance", value, "must be 4 to 63", name=f"valkey-{what}", good=VALKEY)
        for what, value in {
            "uppercase": "Chat",
            "too-short": "abc",
            "leading-hyphen": "-chat",
            "trailing-hyphen": "chat-",
            "empty": "",
        }.items()
    ),
    bad("redis.valkey.instance", "v" * 64, "may not be more than 63", name="valkey-too-long", good=VALKEY),
    bad("redis.valkey.instance", ABSENT, "Required value", good=VALKEY),
    *(
        bad(
            "redis.endpoint.host",
            value,
            "must be an IPv4 address such as 10.128.0.9, or a full DNS name",
            good=ENDPOINT,
        )
        for value in (
            "redis",
            "Redis.example.com",
            "redis_1.example.com",
            "redis.example.com.",
            "redis.example.com:6379",
            "redis://redis.example.com",
            "10.128.0.300",
            "10.128.0.09",
            "2001:db8::9",
            "-redis.example.com",
            "",
        )
    ),
    *(
        bad("redis.endpoint.host", value, "must be the address of a machine: not loopback", good=ENDPOINT)
        for value in ("127.0.0.1", "0.0.0.0", "169.254.169.254", "239.1.1.1", "255.255.255.255")
    ),
    bad("redis.endpoint.host", "redis.localhost", "the caller's own machine or its metadata server", good=ENDPOINT),
    bad("redis.endpoint.host", "metadata.google.internal", "its metadata server", good=ENDPOINT),
    bad("redis.endpoint.host", f"{'a.' * 130}com", "may not be more than 253", name="endpoint-too-long", good=ENDPOINT),
    bad("redis.endpoint.host", ABSENT, "Required value", good=ENDPOINT),
    bad("redis.endpoint.port", 0, "greater than or equal to 1", good=ENDPOINT),
    bad("redis.endpoint.port", "6379", "must be of type integer", good=ENDPOINT),
    *(
        Case(
            f"{one}-and-vm",
            {f"redis.{one}": value},
            ("spec.redis", "exactly one of memorystore, cluster, valkey, vm and endpoint"),
        )
        for one, value in {
            "cluster": {"name": "chat"},
            "valkey": {"instance": "chat"},
            "endpoint": {"host": "10.128.0.9"},
        }.items()
    ),
    Case(
        "tags-and-service-accounts",
        {"redis.vm.targetServiceAccounts": ["redis@acme-staging.iam.gserviceaccount.com"]},
        ("spec.redis.vm", "cannot be mixed in one firewall rule: keep one of them"),
    ),
    *(
        Case(
            f"service-account-{what}",
            {"redis.vm.targetTags": ABSENT, "redis.vm.targetServiceAccounts": [value]},
            ("spec.redis.vm.targetServiceAccounts[0]", "must be a service account's e-mail, such as redis@my-project"),
        )
        for what, value in {
            "name": "redis",
            "user": "somebody@example.com",
            "member": "serviceAccount:redis@acme-staging.iam.gserviceaccount.com",
            "uppercase": "Redis@acme-staging.iam.gserviceaccount.com",
            "default": "default",
            "empty": "",
        }.items()
    ),
    *(
        Case(
            f"service-accounts-{what}",
            {"redis.vm.targetTags": ABSENT, "redis.vm.targetServiceAccounts": value},
            ("spec.redis.vm.targetServiceAccounts", words),
        )
        for what, value, words in (
            ("none", [], "should have at least 1 items"),
            (
                "too-many",
                [f"r{n}@acme-staging.iam.gserviceaccount.com" for n in range(11)],
                "must have at most 10 items",
            ),
            ("twice", ["r@p.iam.gserviceaccount.com", "r@p.iam.gserviceaccount.com"], "Duplicate value"),
            ("text", "r@p.iam.gserviceaccount.com", "must be of type array"),
        )
    ),
    # --- the connector's machines
    bad("connector.minInstances", 1, "greater than or equal to 2"),
    bad("connector.minInstances", 10, "less than or equal to 9"),
    bad("connector.maxInstances", 2, "greater than or equal to 3"),
    bad("connector.maxInstances", 11, "less than or equal to 10"),
    bad("connector.minInstances", "2", "must be of type integer"),
    Case(
        "min-equals-max",
        {"connector.minInstances": 3, "connector.maxInstances": 3},
        ("spec.connector", "minInstances must be less than maxInstances"),
    ),
    Case(
        "min-above-max",
        {"connector.minInstances": 9, "connector.maxInstances": 4},
        ("spec.connector", "minInstances must be less than maxInstances"),
    ),
    bad("connector.machineType", "e2-small", "supported values", "e2-micro"),
    bad("connector.management", "managed", "supported values", "Managed", "Observed", "None"),
    # --- firewall and policies
    bad("firewall.priority", -1, "greater than or equal to 0"),
    bad("firewall.priority", 65536, "less than or equal to 65535"),
    bad("firewall.priority", "high", "must be of type integer"),
    bad("firewall.logging", "ON", "supported values", "INCLUDE_ALL_METADATA"),
    bad("firewall.ingress", "auto", "supported values", "Always"),
    bad("firewall.egress", "", "supported values", "Always"),
    bad("driftPolicy", "Repair", "supported values", "Remediate", "Report"),
    bad("deletionPolicy", "Keep", "supported values", "Retain", "Restore"),
    bad("adoptionPolicy", "Always", "supported values", "Never", "Adopt"),
    bad("adoptionPolicy", True, "must be of type string"),
    bad("disruptionPolicy", "Yes", "supported values", "Deny", "Allow"),
    bad("disruptionPolicy", True, "must be of type string"),
    bad("suspend", "true", "must be of type boolean"),
    # --- the probe
    *(
        bad("probe.interval", value, "must be a duration such as 30s, 1m30s or 500ms", name=f"interval-{what}")
        for what, value in {
            "empty": "",
            "bare-number": "5",
            "word": "abc",
            "negative": "-5s",
            "fraction": "1.5s",
            "unit": "5sec",
        }.items()
    ),
    bad("probe.interval", 30, "must be of type string"),
    bad("probe.interval", "0s", "must be between 1s and 24h"),
    bad("probe.interval", "25h", "must be between 1s and 24h"),
    bad("probe.interval", "1" * 20 + "h", "may not be more than 20", name="interval-too-long-a-text"),
    bad("probe.timeout", "90m", "must be between 100ms and 30s"),
    bad("probe.timeout", "0s", "must be between 100ms and 30s"),
    bad("probe.timeout", "soon", "must be a duration"),
    Case(
        "timeout-above-interval",
        {"probe.interval": "5s", "probe.timeout": "6s"},
        ("spec.probe", "timeout must not be longer than interval"),
    ),
    Case(
        "default-timeout-above-interval",
        {"probe": {"interval": "2s"}},
        ("spec.probe", "timeout must not be longer than interval"),
    ),
    *(
        bad("probe.proberUrl", value, "must be an http or https URL with a host", name=f"prober-{what}")
        for what, value in {
            "ftp": "ftp://prober.example.com",
            "no-host": "https://",
            "only-a-port": "http://:8080",
            "no-scheme": "prober-abc-uc.a.run.app",
            "space": "https://prober abc.run.app",
            "empty": "",
            "credentials": "https://user:secret@prober.run.app",
        }.items()
    ),
    *(
        bad(
            "probe.proberUrl",
            f"https://prober.run.app:{port}",
            "must be an http or https URL",
            name=f"prober-port-{port}",
        )
        for port in ("0", "65536", "99999")
    ),
    Case(
        "from-and-prober",
        {"probe.from": "CloudRun"},
        ("spec.probe", "from and proberUrl exclude each other"),
    ),
    Case(
        "from-operator-and-prober",
        {"probe.from": "Operator"},
        ("spec.probe", "from and proberUrl exclude each other"),
    ),
    Case(
        "from-elsewhere",
        {"probe.from": "Laptop", "probe.proberUrl": ABSENT},
        ("spec.probe.from", "supported values"),
    ),
    Case(
        "http-from-operator",
        {"probe.from": "Operator", "probe.proberUrl": ABSENT, "probe.checks": [PING, HTTP]},
        ("spec.probe", "http checks run behind the connector"),
    ),
    # --- the probe's chain
    bad("probe.checks", [], "should have at least 1 item"),
    bad("probe.checks", [PING] * 11, "must have at most 10 items", name="checks-too-many"),
    bad("probe.checks", "tcp", "must be of type array"),
    chain("empty-check", [{}], "exactly one of tcp, redisPing, redisReadWrite and http", where="[0]"),
    chain("two-in-one", [{"tcp": {}, **PING}], "exactly one of tcp, redisPing, redisReadWrite and http", where="[0]"),
    chain("only-timeout", [{"timeout": "1s"}], "exactly one of tcp, redisPing, redisReadWrite and http", where="[0]"),
    chain("tcp-is-no-object", [{"tcp": True}, PING], "must be of type object", where="[0].tcp"),
    chain("no-redis", [{"tcp": {}}], "checks must have redisPing or redisReadWrite"),
    chain("only-http", [HTTP], "checks must have redisPing or redisReadWrite"),
    chain("http-before-redis", [HTTP, PING], "checks go in the order tcp, redisPing, redisReadWrite, http"),
    chain("ping-before-tcp", [PING, {"tcp": {}}], "checks go in the order tcp"),
    chain("ping-twice", [PING, PING], "can each be checked once only"),
    chain("same-name", [PING, HTTP, HTTP], "each http check needs a name of its own"),
    chain("http-without-prober", [PING, HTTP], "http checks run behind the connector: set proberUrl", prober=None),
    chain("timeout-above-probe", [{**PING, "timeout": "6s"}], "a check's timeout must not be longer than the probe's"),
    chain("timeout-word", [{**PING, "timeout": "soon"}], "must be a duration", where="[0].timeout"),
    chain("timeout-long", [{**PING, "timeout": "31s"}], "must be between 100ms and 30s", where="[0].timeout"),
    chain("http-no-url", [PING, {"http": {"name": "a"}}], "Required value", where="[1].http.url"),
    chain("http-no-name", [PING, {"http": {"url": "http://10.0.0.1"}}], "Required value", where="[1].http.name"),
    *(
        chain(f"http-{what}", [PING, http(**fields)], words, where=f"[1].http{where}")
        for what, fields, where, words in (
            ("ftp", {"url": "ftp://10.0.0.1/"}, ".url", "must be an http or https URL"),
            ("user", {"url": "http://user:secret@10.0.0.1/"}, ".url", "must be an http or https URL"),
            ("port", {"url": "http://10.0.0.1:70000/"}, ".url", "must be an http or https URL"),
            ("name", {"name": "Chat Flow"}, ".name", "must be 1 to 63 characters"),
            ("method", {"method": "DELETE"}, ".method", "supported values"),
            ("status", {"expectStatus": 42}, ".expectStatus", "greater than or equal to 100"),
            ("status-text", {"expectStatus": "200"}, ".expectStatus", "must be of type integer"),
            ("body-of-get", {"body": "{}"}, "", "a GET or HEAD has no body"),
            ("body-of-head", {"method": "HEAD", "expectBody": "ok"}, "", "the answer to a HEAD has no body"),
            ("empty-expectation", {"expectBody": ""}, ".expectBody", "should be at least 1 chars"),
        )
    ),
    chain(
        "key-prefix-space",
        [{"redisReadWrite": {"keyPrefix": "a b"}}],
        "printable",
        where="[0].redisReadWrite.keyPrefix",
    ),
    chain(
        "key-prefix-empty",
        [{"redisReadWrite": {"keyPrefix": ""}}],
        "should be at least 1 chars",
        where="[0].redisReadWrite.keyPrefix",
    ),
    # --- AUTH and TLS
    Case(
        "auth-empty", {"redis.auth": {}}, ("spec.redis.auth", "exactly one of secretRef, memorystoreAuth: true and iam")
    ),
    Case(
        "auth-twice",
        {"redis.auth": {"secretRef": {"name": "s"}, "memorystoreAuth": True}},
        ("spec.redis.auth", "exactly one of secretRef, memorystoreAuth: true and iam"),
        MEMORYSTORE,
    ),
    Case(
        "auth-string-is-false",
        {"redis.auth": {"memorystoreAuth": False}},
        ("spec.redis.auth", "exactly one of secretRef, memorystoreAuth: true and iam"),
        MEMORYSTORE,
    ),
    Case(
        "auth-string-of-a-vm",
        {"redis.auth": {"memorystoreAuth": True}},
        ("spec.redis", "auth.memorystoreAuth is for a memorystore target; use auth.secretRef"),
    ),
    Case(
        "auth-string-and-iam",
        {"redis.auth": {"memorystoreAuth": True, "iam": {"serviceAccount": ACCOUNT}}},
        ("spec.redis.auth", "exactly one of secretRef, memorystoreAuth: true and iam"),
        MEMORYSTORE,
    ),
    *(
        Case(
            f"auth-iam-of-{what}",
            {"redis.auth": {"iam": {"serviceAccount": ACCOUNT}}},
            ("spec.redis", "auth.iam is for a cluster or valkey target: no other Redis takes IAM access tokens"),
            good,
        )
        for what, good in {"memorystore": MEMORYSTORE, "a-vm": VM, "an-endpoint": ENDPOINT}.items()
    ),
    *(
        Case(
            f"auth-iam-account-{what}",
            {"redis.auth": {"iam": value}},
            ("spec.redis.auth.iam.serviceAccount", words),
            CLUSTER,
        )
        for what, value, words in (
            ("missing", {}, "Required value"),
            ("short", {"serviceAccount": "redis"}, "must be a service account's e-mail, such as redis@my-project"),
            ("a-user", {"serviceAccount": "eve@example.com"}, "must be a service account's e-mail"),
        )
    ),
    Case(
        "auth-secret-without-name",
        {"redis.auth": {"secretRef": {}}},
        ("spec.redis.auth.secretRef.name", "Required value"),
    ),
    bad("redis.auth", "secret", "must be of type object"),
    *(
        Case(
            f"auth-{what}",
            {"redis.auth": {"secretRef": {"name": "s", **ref}}},
            (f"spec.redis.auth.secretRef.{field}", words),
        )
        for what, ref, field, words in (
            ("secret-name", {"name": "Redis_Auth"}, "name", "must be a Secret's name"),
            ("secret-name-empty", {"name": ""}, "name", "must be a Secret's name"),
            ("secret-of-elsewhere", {"name": "other/redis-auth"}, "name", "must be a Secret's name"),
            ("password-key", {"passwordKey": "pass word"}, "passwordKey", "must be a key of a Secret"),
            ("username-key", {"usernameKey": "a/b"}, "usernameKey", "must be a key of a Secret"),
        )
    ),
    Case(
        "auth-secret-of-another-namespace",
        {"redis.auth": {"secretRef": {"name": "s", "namespace": "kube-system"}}},
        ('unknown field "spec.redis.auth.secretRef.namespace"',),
    ),
    Case(
        "auth-password-itself", {"redis.auth": {"password": "hunter2"}}, ('unknown field "spec.redis.auth.password"',)
    ),
    *(
        Case(
            f"auth-prober-{what}",
            {"redis.auth": {"secretRef": {"name": "s"}}, "probe.proberUrl": url},
            ("spec", "probe.proberUrl must be https, or http to a loopback or private address"),
        )
        for what, url in {
            "name": "http://prober.example.com",
            "public": "http://8.8.8.8:8080",
            "v6": "http://[2001:db8::1]/",
            "almost-private": "http://172.32.0.1/",
        }.items()
    ),
    Case(
        "tls-off-with-ca",
        {"redis.tls": {"enabled": False, "caSecretRef": {"name": "ca"}}},
        ("spec.redis.tls", "mean nothing with enabled: false"),
    ),
    Case(
        "tls-off-with-name",
        {"redis.tls": {"enabled": False, "serverName": "redis.internal"}},
        ("spec.redis.tls", "mean nothing with enabled: false"),
    ),
    bad("redis.tls.enabled", "yes", "must be of type boolean"),
    bad("redis.tls.serverName", "10.0.0.1:6378", "must be a DNS name"),
    bad("redis.tls.serverName", "", "must be a DNS name"),
    bad("redis.tls.caSecretRef.name", "CA", "must be a Secret's name"),
    Case(
        "tls-ca-key",
        {"redis.tls": {"caSecretRef": {"name": "ca", "key": "ca crt"}}},
        ("spec.redis.tls.caSecretRef.key", "must be a key of a Secret"),
    ),
    unknown("redis.tls.insecureSkipVerify", True),
    bad("probe.failureThreshold", 0, "greater than or equal to 1"),
    bad("probe.failureThreshold", 101, "less than or equal to 100"),
    bad("probe.successThreshold", 0, "greater than or equal to 1"),
    bad("probe.successThreshold", "1", "must be of type integer"),
    # --- what nobody knows: a slip of the pen, and groups that are not built yet
    unknown("enviroment", "staging"),
    unknown("connector.iprange", "10.2.0.0/28"),
    unknown("redis.vm.tags", ["redis-instance"]),
    # --- what must be there
    *(bad(one, ABSENT, "Required value") for one in ("environment", "projectId", "region", "redis")),
    bad("network", {}, "spec.network.name", "Required value", name="network-without-name"),
    bad("connector", "staging-connector", "must be of type object", name="connector-as-text"),
    # --- what must stay
    *(
        update(f"{path}-changed", VM, changed(VM, {path: value}), f"spec.{where}", f"{path.split('.name')[0]}", *words)
        for path, value, where, *words in (
            ("environment", "testing", "environment", "is immutable", "create a new one"),
            ("projectId", "acme-production", "projectId", "is immutable", "create a new one"),
            ("region", "europe-west1", "region", "is immutable", "create a new one"),
            ("network.name", "other-vpc", "network", "network is immutable", "create a new one"),
            ("connector.projectId", "acme-staging", "connector", "connector.projectId is immutable"),
            ("connector.name", "other-connector", "connector", "connector.name is immutable", "create a new one"),
        )
    ),
    update(
        "connector-to-direct",
        VM,
        changed(VM, {"connector": ABSENT, "directVpcEgress": {"subnet": "run"}}),
        "spec.directVpcEgress",
        "is another path: delete the resource and create a new one",
    ),
    update(
        "host-project-added",
        VM,
        changed(VM, {"network.hostProjectId": "acme-staging"}),
        "spec.network",
        "network is immutable",
    ),
    update("network-removed", VM, changed(VM, {"network": ABSENT}), "spec.network", "network is immutable"),
    update("network-null", VM, changed(VM, {"network": None}), "spec.network", "network is immutable"),
    update(
        "network-added",
        MEMORYSTORE,
        changed(MEMORYSTORE, {"network": {"name": "other-vpc"}}),
        "spec.network",
        "network is immutable",
    ),
    update(
        "connector-name-removed",
        VM,
        changed(VM, {"connector.name": ABSENT}),
        "spec.connector",
        "connector.name is immutable",
    ),
    update(
        "connector-name-null",
        VM,
        changed(VM, {"connector.name": None}),
        "spec.connector",
        "connector.name is immutable",
    ),
    update(
        "connector-name-added",
        MEMORYSTORE,
        changed(MEMORYSTORE, {"connector.name": "other-connector"}),
        "spec.connector",
        "connector.name is immutable",
    ),
]

NAMESPACE = "bad-input"


COLLECTION = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/{PLURAL}"


def resource(name: str, spec: Spec, **metadata: object) -> Spec:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": NAMESPACE, **metadata},
        "spec": spec,
    }


# --- gate 1: the API server


@pytest.fixture(scope="module")
def api_server(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    install_manifests(control_plane)
    control_plane.create_namespace(NAMESPACE)
    yield control_plane
    control_plane.purge_namespace(NAMESPACE)


def refusal(api_server: ControlPlane, case: Case) -> str:
    """What the API server says to a case; dry, because admission is what is asked for, and strict, as kubectl is."""
    options = "?dryRun=All&fieldValidation=Strict"
    name = f"case-{secrets.token_hex(4)}"
    if case.before is None:
        call = ("POST", COLLECTION + options, resource(name, case.spec))
    else:
        stored = api_server.client.call("POST", COLLECTION, resource(name, case.before))
        version = stored["metadata"]["resourceVersion"]
        call = ("PUT", f"{COLLECTION}/{name}{options}", resource(name, case.spec, resourceVersion=version))
    try:
        api_server.client.call(*call)
    except ApiError as error:
        return str(json.loads(error.body)["message"])
    return "accepted"


@pytest.mark.lab
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_api_server_refuses_and_says_what_is_wrong_and_where(api_server: ControlPlane, case: Case) -> None:
    said = refusal(api_server, case)

    for word in case.words:
        assert word in said
    # A regular expression, or the API server's word for a rule that broke, is nothing for a stranger.
    assert "should match" not in said
    assert "evaluat" not in said
    assert "no such" not in said


@pytest.mark.lab
def test_kubectl_shows_the_refusal_and_nothing_is_stored(api_server: ControlPlane) -> None:
    text = json.dumps(resource("too-wide", changed(MEMORYSTORE, {"connector.ipCidrRange": "10.2.0.0/24"})))
    done = api_server.kubectl("apply", "-f", "-", stdin=text, check=False)

    assert done.returncode == 1
    assert 'spec.connector.ipCidrRange: Invalid value: "10.2.0.0/24": ipCidrRange must be a /28' in done.stderr
    with pytest.raises(ApiError, match="404"):
        api_server.client.call("GET", f"{COLLECTION}/too-wide")


@pytest.mark.lab
def test_a_field_that_nobody_knows_is_refused_unless_validation_is_turned_off(api_server: ControlPlane) -> None:
    # What the API server does by itself is to drop it without a word; kubectl asks it to refuse.
    text = json.dumps(resource("slip", changed(MEMORYSTORE, {"connector.minInstancs": 3})))
    for validation in ((), ("--validate=strict",)):
        done = api_server.kubectl("apply", *validation, "-f", "-", stdin=text, check=False)
        assert done.returncode == 1
        assert 'unknown field "spec.connector.minInstancs"' in done.stderr

    api_server.kubectl("apply", "--validate=ignore", "-f", "-", stdin=text)
    stored = api_server.client.call("GET", f"{COLLECTION}/slip")
    assert "minInstancs" not in stored["spec"]["connector"]


#: At the edge, and still good: without these, a gate that refuses everything would pass.
GOOD = {
    "as-it-is": {},
    "smallest-numbers": {"redis.vm.port": 1, "firewall.priority": 0},
    "greatest-numbers": {"redis.vm.port": 65535, "firewall.priority": 65535, "probe.failureThreshold": 100},
    "greatest-scaling": {"connector.minInstances": 9, "connector.maxInstances": 10},
    "only-min": {"connector.minInstances": 9, "connector.maxInstances": ABSENT},
    "only-max": {"connector.minInstances": ABSENT, "connector.maxInstances": 3},
    "last-of-172": {"connector.ipCidrRange": "172.31.255.240/28"},
    "last-of-192": {"connector.ipCidrRange": "192.168.255.240/28"},
    "subnet": {"connector": {"subnet": {"name": "connector-subnet"}}},
    "shared-vpc-on-subnet": {
        "network.hostProjectId": "acme-host",
        "connector": {"subnet": {"name": "connector-subnet"}},
    },
    "shared-vpc-in-host": {"network.hostProjectId": "acme-host", "connector.projectId": "acme-host"},
    "replacement": {"connector.replacement": "Recreate", "connector.retire": "staging-con-48ac8f"},
    "direct": {"connector": ABSENT, "directVpcEgress": {"subnet": "run"}},
    "direct-with-tags": {
        "connector": ABSENT,
        "directVpcEgress": {"subnet": "run", "tags": ["chat"]},
        "firewall.egress": "Always",
        "network.hostProjectId": "acme-host",
    },
    "host-of-itself": {"network.hostProjectId": "acme-staging", "connector.projectId": "acme-staging"},
    "longest-names": {
        "environment": "e" * 59,
        "projectId": "p" * 30,
        "network.name": "n" * 63,
        "connector.name": "c" * 25,
        "redis.vm.targetTags": ["t" * 63],
    },
    "shortest-names": {"environment": "e", "projectId": "acme-1", "network.name": "n", "connector.name": "c1"},
    "unknown-environment": {"environment": "blue-green-7"},
    "long-region": {"region": "northamerica-northeast1"},
    "most-tags": {"redis.vm.targetTags": [f"tag-{n}" for n in range(70)]},
    **{
        f"target-{what}": {"redis": redis}
        for what, redis in {
            "cluster": {"cluster": {"name": "c" * 63}},
            "valkey": {"valkey": {"instance": "4cha"}},
            "valkey-longest": {"valkey": {"instance": "v" * 63}},
            "endpoint": {"endpoint": {"host": "10.128.0.9"}},
            "endpoint-public": {"endpoint": {"host": "203.0.113.7", "port": 65535}},
            "endpoint-name": {"endpoint": {"host": "redis-1.c.acme-staging.internal"}},
            "endpoint-longest-label": {"endpoint": {"host": f"{'r' * 63}.example.com"}},
            "accounts": {
                "vm": {
                    "host": "10.128.0.5",
                    "targetServiceAccounts": [
                        "redis@acme-staging.iam.gserviceaccount.com",
                        "123456789012-compute@developer.gserviceaccount.com",
                        "acme-staging@appspot.gserviceaccount.com",
                        "redis@acme.example.com.iam.gserviceaccount.com",
                    ],
                }
            },
            "tags-by-default": {"vm": {"host": "10.128.0.5"}},
        }.items()
    },
    "longest-interval": {"probe.interval": "24h"},
    "shortest-interval": {"probe.interval": "1s", "probe.timeout": "1s"},
    "shortest-timeout": {"probe.timeout": "100ms"},
    "odd-durations": {"probe.interval": "1h30m10s500ms", "probe.timeout": "0h0m30s"},
    "plain-prober": {"probe.proberUrl": "http://10.0.0.7:8080"},
    "prober-with-path": {"probe.proberUrl": "http://127.0.0.1:4711/_run/p/us-central1/prober?x=%20"},
    "prober-on-ipv6": {"probe.proberUrl": "http://[2001:db8::1]:80/"},
    "chain": {"probe.checks": [{"tcp": {}, "timeout": "5s"}, PING, {"redisReadWrite": {}}, HTTP, http(name="auth")]},
    "chain-of-ping": {"probe.checks": [PING]},
    "chain-posts": {
        "probe.checks": [
            PING,
            http(method="POST", body="{}", expectStatus=201, expectBody="ok"),
            http(name="h", method="HEAD"),
        ]
    },
    "chain-without-prober": {"probe.proberUrl": ABSENT, "probe.checks": [{"redisReadWrite": {"keyPrefix": "app:"}}]},
    "from-cloud-run": {"probe.from": "CloudRun", "probe.proberUrl": ABSENT, "probe.checks": [PING, HTTP]},
    "from-operator": {"probe.from": "Operator", "probe.proberUrl": ABSENT},
    "acl-user": {"redis.auth": {"secretRef": {"name": "redis-auth", "passwordKey": "p", "usernameKey": "u"}}},
    **{
        f"auth-prober-on-{what}": {"redis.auth": {"secretRef": {"name": "redis.auth"}}, "probe.proberUrl": url}
        for what, url in {
            "loopback": "http://127.0.0.1:8080/_run/p/r/s",
            "v6-loopback": "http://[::1]:8080",
            "private": "http://172.31.0.9",
            "https": "https://prober.run.app",
        }.items()
    },
    "auth-without-prober": {"redis.auth": {"secretRef": {"name": "redis-auth"}}, "probe.proberUrl": ABSENT},
    "auth-without-probe": {"redis.auth": {"secretRef": {"name": "redis-auth"}}, "probe": ABSENT},
    "auth-string": {"redis": {"memorystore": {"instance": "c"}, "auth": {"memorystoreAuth": True}}},
    "iam-cluster": {"redis": {"cluster": {"name": "c"}, "auth": {"iam": {"serviceAccount": ACCOUNT}}}},
    "iam-valkey": {"redis": {"valkey": {"instance": "chat"}, "auth": {"iam": {"serviceAccount": ACCOUNT}}}},
    "tls": {"redis.tls": {"enabled": True, "caSecretRef": {"name": "ca"}, "serverName": "redis.internal"}},
    "tls-by-default": {"redis.tls": {"caSecretRef": {"name": "ca", "key": "tls.pem"}}},
    "tls-off": {"redis.tls": {"enabled": False}},
    "nulls-for-defaults": {"suspend": True, "firewall.priority": None, "probe.proberUrl": None},
}


@pytest.mark.lab
@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
def test_the_api_server_takes_what_is_good(api_server: ControlPlane, changes: Spec) -> None:
    good = resource("good", changed(VM, changes))
    api_server.client.call("POST", f"{COLLECTION}?dryRun=All&fieldValidation=Strict", good)


# --- gate 2: the models


@pytest.mark.parametrize("case", [case for case in CASES if case.before is None], ids=lambda case: case.name)
def test_the_models_refuse_what_the_api_server_refuses(case: Case) -> None:
    with pytest.raises(ValidationError) as refused:
        RedisConnectivitySpec.model_validate(case.spec)

    # And about the same field.
    told = {".".join(("spec", *map(str, error["loc"]))) for error in refused.value.errors()}
    where = re.sub(r"\[(\d+)\]", r".\1", case.words[0].removeprefix('unknown field "').rstrip('"'))
    assert any(one == where or one.startswith(f"{where}.") for one in told)


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
def test_the_models_take_what_is_good(changes: Spec) -> None:
    RedisConnectivitySpec.model_validate(changed(VM, changes))


# --- gate 3: the cloud

NETWORK = "staging-vpc"
REGION = "us-central1"
Seed = Callable[[ControlClient, str], object]


@dataclass(frozen=True)
class CloudCase:
    """A spec that only the cloud can refuse, in a project of its own that `seed` fills behind a network.

    `condition` shows the hop that is to blame; Ready repeats it. `writes` tells whether Google is written to at all.
    """

    name: str
    condition: str
    reason: str
    words: tuple[str, ...]
    seed: Seed = lambda _control, _project: None
    changes: Mapping[str, object] = field(default_factory=dict)
    network: bool = True
    project: bool = True
    stalled: bool = False
    writes: bool = False

    @property
    def project_id(self) -> str:
        return f"p-{self.name}"[:30].rstrip("-")

    @property
    def spec(self) -> Spec:
        base = {"environment": "staging", "projectId": self.project_id, "region": REGION}
        target = {"connector": {"ipCidrRange": "10.2.0.0/28"}, "redis": {"vm": {"host": "10.128.0.5"}}}
        return changed({**base, **target, "probe": {"interval": "1h", "proberUrl": "http://127.0.0.1:9"}}, self.changes)


def put(kind: str, *key: str, **fields: object) -> Seed:
    """Puts one thing into the project."""
    return lambda control, project: control.put(kind, project, *key, **fields)


def both(*seeds: Seed) -> Seed:
    return lambda control, project: [seed(control, project) for seed in seeds]


def granted(*permissions: str) -> Seed:
    return lambda control, project: control.allow(project, {"*": list(permissions)})


def disabled(api: str) -> Seed:
    return lambda control, project: control.project(project, disabledApis=[api])


def foreign_connector(**fields: object) -> Seed:
    placed = {"network": NETWORK, "ipCidrRange": "10.2.0.0/28", "minInstances": 2, "maxInstances": 3}
    return put("connectors", REGION, "staging-connector", **{**placed, **fields})


def subnet(name: str, cidr: str, **fields: object) -> Seed:
    return put("subnetworks", REGION, name, **{"network": NETWORK, "ipCidrRange": cidr, **fields})


def deny(direction: str, priority: int) -> Seed:
    ranges = {"INGRESS": "sourceRanges", "EGRESS": "destinationRanges"}[direction]
    fields = {"network": NETWORK, "direction": direction, "priority": priority, "denied": [{"IPProtocol": "all"}]}
    return put("firewalls", f"corp-deny-{direction.lower()}", **fields, **{ranges: ["0.0.0.0/0"]})


def shared_vpc_host(control: ControlClient, _: str) -> None:
    """A host project with a network and a subnet for a connector, and none of the rules that it needs."""
    control.project("h-shared-vpc")
    control.put("networks", "h-shared-vpc", "shared")
    control.put("subnetworks", "h-shared-vpc", REGION, "connector-subnet", network="shared", ipCidrRange="10.8.0.0/28")


READS = ("*.list", "*.get", "compute.networks.getEffectiveFirewalls", "compute.networks.updatePolicy")
ON_SUBNET = {"connector": {"subnet": {"name": "connector-subnet"}}}
DIRECT = {"connector": ABSENT, "directVpcEgress": {"subnet": "run"}}
ON_MEMORYSTORE = {"redis": {"memorystore": {"instance": "chat-cache"}}}

CLOUD_CASES = [
    CloudCase(
        "no-such-project",
        "NetworkReady",
        "ProjectNotFound",
        ("p-no-such-project", "Check spec.projectId"),
        project=False,
        network=False,
    ),
    CloudCase(
        "may-not-read",
        "NetworkReady",
        "PermissionDenied",
        ("compute.networks.list", "project p-may-not-read", "Grant compute.networks.list"),
        granted(),
    ),
    CloudCase(
        "may-not-create-connector",
        "ConnectorReady",
        "PermissionDenied",
        ("Could not create connector staging-connector", "Grant vpcaccess.connectors.create"),
        granted(*READS, "compute.firewalls.*"),
        writes=True,
    ),
    CloudCase(
        "may-not-create-rule",
        "FirewallReady",
        "PermissionDenied",
        ("Could not create", "allow-vpc-connector-to-redis", "Grant compute.firewalls.create"),
        granted(*READS, "vpcaccess.connectors.*"),
        writes=True,
    ),
    CloudCase(
        "compute-disabled",
        "NetworkReady",
        "APIDisabled",
        ("An API is not enabled in project p-compute-disabled", "compute", "Enable it there"),
        disabled("compute"),
    ),
    CloudCase(
        "vpcaccess-disabled",
        "ConnectorReady",
        "APIDisabled",
        ("An API is not enabled in project p-vpcaccess-disabled", "vpcaccess", "Enable it there"),
        disabled("vpcaccess"),
    ),
    CloudCase(
        "redis-disabled",
        "RedisReady",
        "APIDisabled",
        ("An API is not enabled in project p-redis-disabled", "redis", "Enable it there"),
        disabled("redis"),
        ON_MEMORYSTORE,
        writes=True,
    ),
    CloudCase(
        "no-such-network",
        "NetworkReady",
        "NetworkNotFound",
        ("has no network staging-vpc", "spec.network.name"),
        network=False,
    ),
    CloudCase(
        "shared-vpc-without-service-rules",
        "ConnectorReady",
        "SharedVpcRulesMissing",
        (
            "vpc-connector-health-checks, serverless-to-vpc-connector is missing (or too weak) in host",
            "gcloud compute firewall-rules create serverless-to-vpc-connector --project=h-shared-vpc",
        ),
        shared_vpc_host,
        {"network": {"name": "shared", "hostProjectId": "h-shared-vpc"}, **ON_SUBNET},
        stalled=True,
    ),
    CloudCase(
        "direct-no-subnet",
        "NetworkReady",
        "SubnetNotFound",
        ("There is no subnet run in", "Create it as a /26 or larger", "spec.directVpcEgress.subnet"),
        changes=DIRECT,
    ),
    CloudCase(
        "direct-small-subnet",
        "NetworkReady",
        "SubnetUnsuitable",
        ("Subnet run has range 10.20.0.0/28, and Direct VPC egress needs a /26", "spec.directVpcEgress.subnet"),
        subnet("run", "10.20.0.0/28"),
        DIRECT,
    ),
    CloudCase(
        "direct-public-subnet",
        "NetworkReady",
        "SubnetUnsuitable",
        ("Subnet run has range 198.18.0.0/26", "RFC 6598"),
        subnet("run", "198.18.0.0/26"),
        DIRECT,
    ),
    CloudCase(
        "direct-subnet-elsewhere",
        "NetworkReady",
        "SubnetUnsuitable",
        ("Subnet run is on network other-vpc, not staging-vpc",),
        both(put("networks", "other-vpc"), subnet("run", "10.20.0.0/26", network="other-vpc")),
        DIRECT,
    ),
    CloudCase(
        "direct-egress-denied-no-tags",
        "FirewallReady",
        "FirewallNotAimed",
        ("denied by rule corp-deny-egress", "every machine of the network", "spec.directVpcEgress.tags"),
        both(subnet("run", "10.20.0.0/26"), deny("EGRESS", 900)),
        DIRECT,
        stalled=True,
        writes=True,
    ),
    CloudCase(
        "no-such-host-project",
        "NetworkReady",
        "ProjectNotFound",
        ("h-no-such-host", "spec.network.hostProjectId"),
        changes={"network": {"name": "shared", "hostProjectId": "h-no-such-host"}, **ON_SUBNET},
    ),
    CloudCase(
        "no-such-region",
        "ConnectorReady",
        "PermissionDenied",
        ("us-nowhere1", "Check spec.region"),
        changes={"region": "us-nowhere1"},
    ),
    CloudCase(
        "no-such-instance",
        "RedisReady",
        "RedisNotFound",
        ("no Memorystore instance chat-cache in p-no-such-instance/us-central1", "spec.redis.memorystore.instance"),
        changes=ON_MEMORYSTORE,
        writes=True,
    ),
    CloudCase(
        "instance-elsewhere",
        "RedisReady",
        "RedisWrongNetwork",
        (
            "chat-cache is authorised for network",
            "other-vpc",
            "no firewall rule can bridge that",
            "Attach the connector",
        ),
        both(put("networks", "other-vpc"), put("redis", REGION, "chat-cache", network="other-vpc")),
        ON_MEMORYSTORE,
        stalled=True,
        writes=True,
    ),
    CloudCase(
        "instance-not-ready",
        "RedisReady",
        "RedisNotReady",
        ("chat-cache is MAINTENANCE", "wait until it is READY"),
        put("redis", REGION, "chat-cache", network=NETWORK, state="MAINTENANCE"),
        ON_MEMORYSTORE,
        writes=True,
    ),
    CloudCase(
        "range-of-a-subnet",
        "ConnectorReady",
        "ConnectorRangeConflict",
        ("10.2.0.0/28 overlaps subnet apps (10.2.0.0/24)", "Set spec.connector.ipCidrRange to a free /28"),
        subnet("apps", "10.2.0.0/24"),
        stalled=True,
    ),
    CloudCase(
        "range-of-a-connector",
        "ConnectorReady",
        "ConnectorRangeConflict",
        ("10.2.0.0/28 overlaps connector their-connector", "Set spec.connector.ipCidrRange to a free /28"),
        put("connectors", REGION, "their-connector", network=NETWORK, ipCidrRange="10.2.0.0/28"),
        stalled=True,
    ),
    CloudCase(
        "range-that-google-refuses",
        "ConnectorReady",
        "ConnectorRangeConflict",
        ("Google refused to create connector staging-connector", "set spec.connector.ipCidrRange to a free /28"),
        put("redis", REGION, "their-cache", network=NETWORK, reservedIpRange="10.2.0.0/29"),
        stalled=True,
        writes=True,
    ),
    CloudCase(
        "name-taken-other-range",
        "ConnectorReady",
        "ConnectorForeignDiffers",
        ("staging-connector", "10.9.0.0/28", "10.2.0.0/28", "not made by this resource"),
        foreign_connector(ipCidrRange="10.9.0.0/28"),
        stalled=True,
        writes=True,
    ),
    CloudCase(
        "name-taken-other-network",
        "ConnectorReady",
        "ConnectorWrongNetwork",
        ("staging-connector", "other-vpc", "staging-vpc"),
        both(put("networks", "other-vpc"), foreign_connector(network="other-vpc")),
        stalled=True,
    ),
    CloudCase(
        "name-taken-in-error",
        "ConnectorReady",
        "ConnectorError",
        ("staging-connector is in state ERROR", "delete it"),
        foreign_connector(state="ERROR"),
    ),
    CloudCase(
        "observed-but-absent",
        "ConnectorReady",
        "ConnectorNotFound",
        ("no connector staging-connector in p-observed-but-absent/us-central1", "spec.connector.management to Managed"),
        changes={"connector.management": "Observed"},
    ),
    CloudCase(
        "subnet-absent",
        "NetworkReady",
        "SubnetNotFound",
        ("no subnet connector-subnet in p-subnet-absent/us-central1", "/28", "spec.connector.subnet"),
        changes=ON_SUBNET,
    ),
    CloudCase(
        "subnet-too-wide",
        "NetworkReady",
        "SubnetUnsuitable",
        ("connector-subnet has range 10.3.0.0/24", "a connector needs a /28", "spec.connector.subnet"),
        subnet("connector-subnet", "10.3.0.0/24"),
        ON_SUBNET,
    ),
    CloudCase(
        "subnet-elsewhere",
        "NetworkReady",
        "SubnetUnsuitable",
        ("connector-subnet is on network other-vpc, not staging-vpc", "spec.connector.subnet"),
        both(put("networks", "other-vpc"), subnet("connector-subnet", "10.3.0.0/28", network="other-vpc")),
        ON_SUBNET,
    ),
    CloudCase(
        "subnet-of-a-proxy",
        "NetworkReady",
        "SubnetUnsuitable",
        ("connector-subnet has purpose REGIONAL_MANAGED_PROXY", "a connector needs PRIVATE"),
        subnet("connector-subnet", "10.3.0.0/28", purpose="REGIONAL_MANAGED_PROXY", role="ACTIVE"),
        ON_SUBNET,
    ),
    CloudCase(
        "deny-that-none-can-beat",
        "FirewallReady",
        "FirewallDenyUnbeatable",
        ("Ingress to Redis is denied by", "corp-deny-ingress (priority 0)", "must allow the traffic there"),
        both(foreign_connector(), deny("INGRESS", 0)),
        stalled=True,
        writes=True,
    ),
    CloudCase(
        "priority-too-weak",
        "FirewallReady",
        "FirewallShadowed",
        ("corp-deny-ingress (priority 500)", "spec.firewall.priority 700", "smaller number"),
        both(foreign_connector(), deny("INGRESS", 500)),
        {"firewall": {"priority": 700}},
        stalled=True,
        writes=True,
    ),
    CloudCase(
        "rule-forbidden",
        "FirewallReady",
        "FirewallRuleForbidden",
        ("corp-deny-egress (priority 500)", "spec.firewall.egress: Never", "Set it to Auto"),
        both(foreign_connector(), deny("EGRESS", 500)),
        {"firewall": {"egress": "Never"}},
        stalled=True,
        writes=True,
    ),
]


@dataclass(frozen=True)
class House:
    """An operator at work on all the cases at once."""

    control_plane: ControlPlane
    google: ControlClient
    operator: OperatorProcess

    def conditions(self, name: str) -> dict[str, Spec]:
        body = self.control_plane.client.call("GET", f"{COLLECTION}/{name}")
        return {one["type"]: one for one in body.get("status", {}).get("conditions", [])}


def loosened() -> Spec:
    """The CRD as it might have been once, with no rule at all about the spec."""
    loose = crd()
    version = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    version["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return loose


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    # A control plane of its own: the CRD is loosened for a while, and an operator looks after all namespaces.
    with ControlPlane(find()) as running, EmulatorThread(Timings.instant()) as google:
        install_manifests(running)
        running.create_namespace(NAMESPACE)
        running.kubectl("apply", "-f", "-", stdin=json.dumps(loosened()))
        old = changed(MEMORYSTORE, {"connector.ipCidrRange": "10.2.0.0/24", "redis.vm": {"host": "localhost"}})
        text = json.dumps(resource("stored-long-ago", old))
        wait_until(
            lambda: running.kubectl("apply", "-f", "-", stdin=text, check=False).returncode == 0,
            deadline=15,
            describe="the API server to take the loosened CRD to heart",
        )
        install_manifests(running)
        for case in CLOUD_CASES:
            if case.project:
                google.control.project(case.project_id)
            if case.network:
                google.control.put("networks", case.project_id, NETWORK)
            case.seed(google.control, case.project_id)
        account = running.service_account_kubeconfig("redis-connectivity-system", "redis-connectivity")
        folder = tmp_path_factory.mktemp("operator")
        operator = OperatorProcess(account, google.url, folder, settings={"POLL_INTERVAL": "1"})
        try:
            operator.start()
            for case in CLOUD_CASES:
                running.client.call("POST", COLLECTION, resource(case.name, case.spec))
            yield House(running, google.control, operator)
        finally:
            operator.stop()


@pytest.mark.lab
@pytest.mark.parametrize("case", CLOUD_CASES, ids=lambda case: case.name)
def test_what_only_the_cloud_can_know_becomes_a_condition_with_a_remedy(house: House, case: CloudCase) -> None:
    def settled() -> dict[str, Spec] | None:
        # Who only looks at Ready reads the same, once what could still be made is made.
        now = house.conditions(case.name)
        return (
            now if all(now.get(kind, {}).get("reason") == case.reason for kind in (case.condition, "Ready")) else None
        )

    def told() -> str:
        return f"{case.condition} to say {case.reason}; it says {json.dumps(house.conditions(case.name), indent=1)}"

    found = wait_until(settled, deadline=90, describe=told)
    blamed = found[case.condition]
    for word in case.words:
        assert word in blamed["message"]
    assert blamed["status"] == "False"
    assert found["Ready"]["status"] == "False"
    assert found["Ready"]["message"] == blamed["message"]
    # Whoever waits for a change says so; what may pass by itself, or is tried again, does not.
    assert found["Stalled"]["status"] == ("True" if case.stalled else "False")
    if not case.writes and case.project:
        assert house.google.audit(project=case.project_id, kind="write") == []


@pytest.mark.lab
def test_a_spec_that_was_stored_before_the_crd_became_strict(house: House) -> None:
    def settled() -> dict[str, Spec] | None:
        now = house.conditions("stored-long-ago")
        return now if now.get("Ready", {}).get("reason") == "InvalidSpec" else None

    found = wait_until(settled, deadline=30, describe="the stored spec to be called invalid")
    for words in ("spec.connector.ipCidrRange", "must be a /28", "spec.redis.vm.host", "IPv4 address", "Mend it"):
        assert words in found["Ready"]["message"]
    assert found["Stalled"]["status"] == "True"
    # It made nothing, so nothing holds it.
    house.control_plane.kubectl("delete", "rconn", "stored-long-ago", "-n", NAMESPACE, "--timeout=20s")


@pytest.mark.lab
def test_no_bad_input_is_a_fault_of_the_operator(house: House) -> None:
    assert house.operator.alive
    assert [one for one in house.operator.records() if one.get("event") in {"fault", "probe.fault"}] == []
    assert house.operator.stop() == 0
