"""The shipped manifests on a real API server: accepted, complete, restricted, and with no right too many."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from redis_connectivity_lab.controlplane import ControlPlane

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
OVERLAYS = ("staging", "production")
SYSTEM = "redis-connectivity-system"
ACCOUNT = f"system:serviceaccount:{SYSTEM}:redis-connectivity"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A server of its own: what is installed here is cluster-wide, and nobody else's business."""
    with ControlPlane(control_plane.binaries) as own:
        yield own


@pytest.fixture(scope="module", params=OVERLAYS)
def installed(cluster: ControlPlane, request: pytest.FixtureRequest) -> str:
    """An overlay's name, once it is applied (the second over the first)."""
    overlay = str(request.param)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "manifests" / "overlays" / overlay))
    cluster.kubectl(
        "wait", "--for=condition=Established", "crd/redisconnectivities.redisconnectivity.io", "--timeout=30s"
    )
    return overlay


def built(cluster: ControlPlane, overlay: str) -> dict[str, dict[str, Any]]:
    """The overlay's objects by `Kind/name`."""
    text = cluster.kubectl("kustomize", str(ROOT / "manifests" / "overlays" / overlay)).stdout
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(text)}


def test_applying_again_changes_nothing(cluster: ControlPlane, installed: str) -> None:
    folder = str(ROOT / "manifests" / "overlays" / installed)
    difference = cluster.kubectl("diff", "--server-side", "-k", folder, check=False)
    assert (difference.returncode, difference.stdout) == (0, "")


def test_the_api_server_has_no_warning_about_it(cluster: ControlPlane, installed: str) -> None:
    folder = str(ROOT / "manifests" / "overlays" / installed)
    assert cluster.kubectl("apply", "--server-side", "--dry-run=server", "-k", folder).stderr == ""


def test_alerts_and_dashboard_build(cluster: ControlPlane) -> None:
    text = cluster.kubectl("kustomize", str(ROOT / "manifests" / "monitoring")).stdout
    kinds = {each["kind"]: each for each in yaml.safe_load_all(text)}
    assert set(kinds) == {"ConfigMap", "PrometheusRule", "ServiceMonitor"}
    assert {each["metadata"]["namespace"] for each in kinds.values()} == {"redis-connectivity-system"}
    assert json.loads(kinds["ConfigMap"]["data"]["dashboard.json"])["uid"] == "redis-connectivity"
    # What the monitor selects and where it scrapes is what the shipped Service has.
    service = yaml.safe_load((ROOT / "manifests" / "base" / "service.yaml").read_text(encoding="utf-8"))
    ports = {port["name"] for port in service["spec"]["ports"]}
    assert {each["port"] for each in kinds["ServiceMonitor"]["spec"]["endpoints"]} <= ports
    wanted = kinds["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    labels = built(cluster, OVERLAYS[0])[f"Service/{service['metadata']['name']}"]["metadata"]["labels"]
    assert wanted.items() <= labels.items()


def test_the_samples_are_accepted(cluster: ControlPlane, installed: str) -> None:
    folder = ROOT / "manifests" / "samples"
    told = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(folder)).stdout
    bodies = [body for path in folder.glob("*.yaml") for body in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    assert told.count("created (server dry run)") == len(bodies) > 0


def test_the_pod_passes_the_restricted_standard(cluster: ControlPlane, installed: str) -> None:
    template = built(cluster, installed)["Deployment/redis-connectivity"]["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"] = {**template["metadata"], "name": "try", "namespace": SYSTEM}
    cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    refused = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod), check=False)
    assert 'violates PodSecurity "restricted' in refused.stderr


def test_selectors_probes_and_ports_fit_together(cluster: ControlPlane, installed: str) -> None:
    objects = built(cluster, installed)
    spec = objects["Deployment/redis-connectivity"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    labels = spec["template"]["metadata"]["labels"]
    for selector in (
        spec["selector"]["matchLabels"],
        objects["Service/redis-connectivity-metrics"]["spec"]["selector"],
    ):
        assert selector.items() <= labels.items()
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"health": 8081}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"POD_NAME", "POD_NAMESPACE"} <= {variable["name"] for variable in container["env"]}
    assert spec["template"]["spec"]["serviceAccountName"] == "redis-connectivity"


def test_staging_and_production_differ_where_they_should(cluster: ControlPlane) -> None:
    staging, production = (built(cluster, overlay) for overlay in OVERLAYS)
    assert staging["Deployment/redis-connectivity"]["spec"]["replicas"] == 1
    assert production["Deployment/redis-connectivity"]["spec"]["replicas"] == 2
    assert production.keys() - staging.keys() == {
        "PodDisruptionBudget/redis-connectivity",
        "NetworkPolicy/redis-connectivity",
    }
    for objects in (staging, production):
        assert (
            "iam.gke.io/gcp-service-account" in objects["ServiceAccount/redis-connectivity"]["metadata"]["annotations"]
        )


def allowed(cluster: ControlPlane, **attributes: str) -> bool:
    """The API server's own answer for the operator's account."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": ACCOUNT,
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{SYSTEM}", "system:authenticated"],
            "resourceAttributes": attributes,
        },
    }
    answer = cluster.client.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


@pytest.mark.parametrize(
    ("what", "verbs"),
    [
        ("any redisconnectivity.io/redisconnectivities", "list watch patch"),
        ("any redisconnectivity.io/redisconnectivities/status", "patch"),
        ("any redisconnectivity.io/redisconnectivities/finalizers", ""),
        ("any redisconnectivity.io/redisconnectivitypolicies", "list watch"),
        ("any events.k8s.io/events", "create"),
        ("any /events", ""),
        ("any /namespaces", ""),
        ("any /secrets", ""),
        ("any /configmaps", ""),
        ("any /pods", ""),
        ("any apiextensions.k8s.io/customresourcedefinitions", ""),
        ("any rbac.authorization.k8s.io/clusterroles", ""),
        ("own coordination.k8s.io/leases", "get create update"),
        ("own /configmaps", "get list create patch delete"),
        ("own /secrets", ""),
        ("own /pods", ""),
        ("own apps/deployments", ""),
    ],
)
def test_the_account_may_do_this_and_nothing_else(cluster: ControlPlane, installed: str, what: str, verbs: str) -> None:
    where, _, kind = what.partition(" ")
    group, resource, *sub = kind.split("/")
    attributes = {"group": group, "resource": resource, "subresource": "".join(sub)}
    namespace = SYSTEM if where == "own" else "default"
    granted = [verb for verb in VERBS if allowed(cluster, verb=verb, namespace=namespace, **attributes)]
    assert granted == [verb for verb in VERBS if verb in verbs.split()]


def test_of_namespaces_it_reads_kube_system_only(cluster: ControlPlane, installed: str) -> None:
    granted = [
        (verb, name)
        for verb, name in itertools.product(VERBS, ("kube-system", "default", SYSTEM))
        if allowed(cluster, verb=verb, group="", resource="namespaces", name=name)
    ]
    assert granted == [("get", "kube-system")]
