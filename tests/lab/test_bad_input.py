"""Bad input, case by case: where it is refused, and the words that tell a stranger what to mend.

Three gates, one table. What the API server can know it refuses itself; the models refuse the same, for `plan` and for
what was stored before the CRD became as strict as it is; what only the cloud can know becomes conditions with a reason,
a message and a remedy.
"""

from __future__ import annotations

import copy
import json
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
        ("spec.redis", "exactly one of memorystore and vm"),
    ),
    Case("no-target", {"redis": {}}, ("spec.redis", "exactly one of memorystore and vm")),
    Case("target-is-null", {"redis.vm": None}, ("spec.redis", "exactly one of memorystore and vm")),
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
    bad("deletionPolicy", "Keep", "supported values", "Retain"),
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
    bad("probe.failureThreshold", 0, "greater than or equal to 1"),
    bad("probe.failureThreshold", 101, "less than or equal to 100"),
    bad("probe.successThreshold", 0, "greater than or equal to 1"),
    bad("probe.successThreshold", "1", "must be of type integer"),
    # --- what nobody knows: a slip of the pen, and groups that are not built yet
    unknown("enviroment", "staging"),
    unknown("connector.iprange", "10.2.0.0/28"),
    unknown("connector.replacement", "Recreate"),
    unknown("network.hostProjectId", "acme-host"),
    unknown("redis.endpoint", {"host": "10.0.0.1", "port": 6379}),
    unknown("redis.vm.tags", ["redis-instance"]),
    unknown("directVpcEgress", {"subnet": "s"}),
    unknown("probe.checks", []),
    unknown("adoptionPolicy", "Adopt"),
    # --- what must be there
    *(bad(one, ABSENT, "Required value") for one in ("environment", "projectId", "region", "connector", "redis")),
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
            ("connector.name", "other-connector", "connector", "connector.name is immutable", "create a new one"),
        )
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
    "longest-interval": {"probe.interval": "24h"},
    "shortest-interval": {"probe.interval": "1s", "probe.timeout": "1s"},
    "shortest-timeout": {"probe.timeout": "100ms"},
    "odd-durations": {"probe.interval": "1h30m10s500ms", "probe.timeout": "0h0m30s"},
    "plain-prober": {"probe.proberUrl": "http://10.0.0.7:8080"},
    "prober-with-path": {"probe.proberUrl": "http://127.0.0.1:4711/_run/p/us-central1/prober?x=%20"},
    "prober-on-ipv6": {"probe.proberUrl": "http://[2001:db8::1]:80/"},
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
    where = case.words[0].removeprefix('unknown field "').rstrip('"')
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


READS = ("*.list", "*.get", "compute.networks.getEffectiveFirewalls", "compute.networks.updatePolicy")
ON_SUBNET = {"connector": {"subnet": {"name": "connector-subnet"}}}
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
        now = house.conditions(case.name)
        return now if now.get(case.condition, {}).get("reason") == case.reason else None

    def told() -> str:
        return f"{case.condition} to say {case.reason}; it says {json.dumps(house.conditions(case.name), indent=1)}"

    found = wait_until(settled, deadline=30, describe=told)
    blamed = found[case.condition]
    for word in case.words:
        assert word in blamed["message"]
    assert blamed["status"] == "False"
    # Who only looks at Ready reads the same.
    assert (found["Ready"]["status"], found["Ready"]["reason"]) == ("False", case.reason)
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
