"""Cloud Run services through Google's own client, and what a caller without it meets."""

import re
import threading
from pathlib import Path
from typing import Any

import google.api_core.exceptions as errors
import pytest
from emulator_support import PARENT, PROJECT, REGION, Clients, Http
from google.cloud import run_v2

from redis_connectivity_lab.emulator import ControlClient, EmulatorThread
from redis_connectivity_lab.emulator.iam import ANONYMOUS
from redis_connectivity_lab.topology import HostKind, ServiceId
from support.waiting import wait_until

CONNECTOR = f"{PARENT}/connectors/staging-connector"
NAME = f"{PARENT}/services/prober"
SERVICES = f"/v2/{PARENT}/services"
IMAGE = "us-docker.pkg.dev/acme/images/redis-connectivity:1.0"
IDENTITY = "/computeMetadata/v1/instance/service-accounts/default/identity"


def service(connector: str = CONNECTOR, image: str = IMAGE, **more: Any) -> run_v2.Service:
    template = run_v2.RevisionTemplate(
        containers=[run_v2.Container(image=image, args=["prober"])],
        vpc_access=run_v2.VpcAccess(connector=connector, egress=run_v2.VpcAccess.VpcEgress.PRIVATE_RANGES_ONLY),
    )
    return run_v2.Service(template=template, labels={"owner": "me"}, **more)


def body(**template: Any) -> dict[str, Any]:
    """A good create's body as plain JSON; None takes a field of the template away."""
    whole = {
        "containers": [{"image": IMAGE, "args": ["prober"]}],
        "vpcAccess": {"connector": CONNECTOR},
    } | template
    return {"template": {key: value for key, value in whole.items() if value is not None}}


@pytest.fixture(autouse=True)
def place(control: ControlClient) -> None:
    control.put("connectors", PROJECT, REGION, "staging-connector", network="staging-vpc", ipCidrRange="10.2.0.0/28")
    subnet = {"network": "staging-vpc", "ipCidrRange": "10.64.0.0/24"}
    control.put("subnetworks", PROJECT, REGION, "run", **subnet)
    control.put("subnetworks", PROJECT, REGION, "tiny", network="staging-vpc", ipCidrRange="10.65.0.0/28")


def create(clients: Clients, name: str = "prober", what: run_v2.Service | None = None) -> run_v2.Service:
    made = clients.run.create_service(parent=PARENT, service_id=name, service=what or service())
    assert made.metadata.name == f"{PARENT}/services/{name}"
    return made.result(timeout=30)


def test_a_service_lives_through_google_s_client(clients: Clients, emulator: EmulatorThread) -> None:
    made = create(clients)
    assert made.uri == f"{emulator.url}/_run/{PROJECT}/{REGION}/prober"
    assert made.terminal_condition.state is run_v2.Condition.State.CONDITION_SUCCEEDED
    assert made.latest_ready_revision == made.latest_created_revision != ""
    assert not made.reconciling
    assert made.template.vpc_access.egress is run_v2.VpcAccess.VpcEgress.PRIVATE_RANGES_ONLY
    # Google's defaults are filled in.
    assert made.template.max_instance_request_concurrency == 80
    assert made.ingress is run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL
    assert [one.name for one in clients.run.list_services(parent=PARENT)] == [NAME]

    changed = service(image=f"{IMAGE}.1")
    changed.name = NAME
    after = clients.run.update_service(service=changed, update_mask={"paths": ["template"]}).result(timeout=30)
    assert after.template.containers[0].image == f"{IMAGE}.1"
    assert after.labels == {"owner": "me"}
    assert after.generation == 2
    assert after.latest_ready_revision != made.latest_ready_revision
    assert after.uid == made.uid

    clients.run.delete_service(name=NAME).result(timeout=30)
    with pytest.raises(errors.NotFound, match="Resource 'prober' of kind 'SERVICE' in region"):
        clients.run.get_service(name=NAME)
    assert list(clients.run.list_services(parent=PARENT)) == []


def test_a_list_has_pages(clients: Clients, http: Http) -> None:
    for name in ("a", "b", "c"):
        create(clients, name)
    _, first = http("GET", f"{SERVICES}?pageSize=2")
    assert len(first["services"]) == 2
    _, second = http("GET", f"{SERVICES}?pageSize=2&pageToken={first['nextPageToken']}")
    assert [one["name"][-1] for one in first["services"] + second["services"]] == ["a", "b", "c"]
    assert "nextPageToken" not in second
    assert len(list(clients.run.list_services(request={"parent": PARENT, "page_size": 1}))) == 3


def test_a_name_is_taken_once(clients: Clients) -> None:
    create(clients)
    with pytest.raises(errors.Conflict, match="Resource 'prober' already exists"):
        create(clients)


WAYS = {
    "unknown field": (body() | {"templat": {}}, "Unknown name", "prober"),
    "no container": (body(containers=[]), "exactly one container", "prober"),
    "bad image": (body(containers=[{"image": "Not An Image"}]), "Expected an image path like", "prober"),
    "bad label": (body() | {"labels": {"Owner": "me"}}, "no valid label", "prober"),
    "a name": (body() | {"name": NAME}, "should be empty on create", "prober"),
    "bad id": (body(), "must begin with a letter", "9prober"),
    "long id": (body(), "fewer than 50", "p" * 50),
    "both ways": (
        body(vpcAccess={"connector": CONNECTOR, "networkInterfaces": [{"subnetwork": "run"}]}),
        "one and only one of connector and network_interfaces must be set",
        "prober",
    ),
    "bare connector": (body(vpcAccess={"connector": "staging-connector"}), "must be projects/", "prober"),
    "other region": (
        body(vpcAccess={"connector": CONNECTOR.replace(REGION, "europe-west1")}),
        "must be in the service's region",
        "prober",
    ),
}


@pytest.mark.parametrize("case", WAYS)
def test_what_is_refused_at_once(http: Http, case: str) -> None:
    given, words, name = WAYS[case]
    status, answer = http("POST", f"{SERVICES}?serviceId={name}", given)
    assert status == 400
    assert words in answer["error"]["message"]
    assert http("GET", SERVICES) == (200, {})


LATE = {
    "no connector": (body(vpcAccess={"connector": f"{PARENT}/connectors/absent"}), "VPC connector .* does not exist"),
    "no subnet": (body(vpcAccess={"networkInterfaces": [{"subnetwork": "absent"}]}), "no subnetwork absent"),
    "small subnet": (body(vpcAccess={"networkInterfaces": [{"subnetwork": "tiny"}]}), "insufficient free IP"),
    "other program": (body(containers=[{"image": IMAGE, "args": ["run"]}]), "failed to start and listen"),
    "no image": (body(containers=[{"image": "gcr.io/acme/gone", "args": ["prober"]}]), "Image '.*' not found"),
}


@pytest.mark.parametrize("case", LATE)
def test_what_arrives_in_the_operation(http: Http, clients: Clients, control: ControlClient, case: str) -> None:
    control.project(PROJECT, missingImages=["gcr.io/acme/gone"])
    given, words = LATE[case]
    status, operation = http("POST", f"{SERVICES}?serviceId=prober", given)
    assert status == 200
    status, operation = http("POST", f"/v2/{operation['name']}:wait", {})
    assert operation["error"]["code"] == 9
    found = clients.run.get_service(name=NAME)
    assert found.terminal_condition.state is run_v2.Condition.State.CONDITION_FAILED
    assert found.terminal_condition.message == operation["error"]["message"]
    assert re.search(words, found.terminal_condition.message)
    assert found.latest_ready_revision == ""
    assert found.uri == ""


def test_what_served_goes_on_when_its_successor_fails(
    clients: Clients, control: ControlClient, emulator: EmulatorThread
) -> None:
    made = create(clients)
    before = emulator.topology().services
    control.project(PROJECT, missingImages=["gcr.io/acme/gone"])
    changed = service(image="gcr.io/acme/gone", name=NAME)
    with pytest.raises(errors.GoogleAPICallError, match=r"Image 'gcr\.io/acme/gone' not found"):
        clients.run.update_service(service=changed).result(timeout=30)
    after = clients.run.get_service(name=NAME)
    assert after.latest_ready_revision == made.latest_ready_revision
    assert after.uri == made.uri
    assert emulator.topology().services == before


def test_the_data_plane_gets_a_process_per_revision(clients: Clients, emulator: EmulatorThread) -> None:
    made = create(clients)
    (running,) = emulator.topology().services
    assert running == ServiceId(PROJECT, REGION, "prober", CONNECTOR, made.latest_ready_revision.rpartition("/")[2])
    # A new revision serves when its process answers; the old one runs until then.
    may_answer = threading.Event()
    emulator.call(lambda one: one.set_service_router(lambda _: Path("socket") if may_answer.is_set() else None))
    changing = clients.run.update_service(service=service(image=f"{IMAGE}.1", name=NAME))
    wait_until(lambda: len(emulator.topology().services) == 2, deadline=60, describe="two revisions")
    assert clients.run.get_service(name=NAME).reconciling
    may_answer.set()
    changing.result(timeout=30)
    (after,) = emulator.topology().services
    assert after.revision != running.revision


def test_direct_vpc_egress_stands_on_the_subnet(http: Http, emulator: EmulatorThread) -> None:
    interface = {"network": "staging-vpc", "subnetwork": "run", "tags": ["prober"]}
    http("POST", f"{SERVICES}?serviceId=prober", body(vpcAccess={"networkInterfaces": [interface]}))
    wait_until(lambda: emulator.topology().services, deadline=60, describe="the service")
    (host,) = [one for one in emulator.topology().hosts if one.kind is HostKind.DIRECT]
    assert host.tags == ("prober",)
    assert host.id.startswith(f"{NAME}/revisions/")
    assert {one.connector for one in emulator.topology().services} == {host.id}


@pytest.mark.parametrize(
    ("permission", "method", "path"),
    [
        ("run.services.list", "GET", SERVICES),
        ("run.services.get", "GET", f"{SERVICES}/prober"),
        ("run.services.create", "POST", f"{SERVICES}?serviceId=other"),
        ("run.services.update", "PATCH", f"{SERVICES}/prober"),
        ("run.services.delete", "DELETE", f"{SERVICES}/prober"),
        ("run.operations.get", "GET", f"/v2/{PARENT}/operations/any"),
    ],
)
def test_each_method_asks_for_its_permission(
    http: Http, clients: Clients, control: ControlClient, permission: str, method: str, path: str
) -> None:
    create(clients)
    control.allow(PROJECT, {ANONYMOUS: ["compute.*"]})
    status, answer = http(method, path, body() if method in ("POST", "PATCH") else None)
    assert status == 403
    assert answer["error"]["details"][0]["metadata"]["permission"] == permission


def test_an_api_that_is_off_says_so(clients: Clients, control: ControlClient) -> None:
    control.project(PROJECT, disabledApis=["run"])
    with pytest.raises(errors.Forbidden, match="run API has not been used"):
        create(clients)


def test_only_who_may_invoke_it_gets_through(http: Http, clients: Clients, control: ControlClient) -> None:
    made = create(clients)
    front = f"/_run/{PROJECT}/{REGION}/prober/healthz"
    status, page = http("GET", front)
    assert status == 403
    assert "does not have permission to get URL" in page

    def token(audience: str) -> dict[str, str]:
        status, text = http("GET", f"{IDENTITY}?audience={audience}&format=full", headers={"Metadata-Flavor": "Google"})
        assert status == 200
        return {"Authorization": f"Bearer {text}"}

    assert http("GET", front, headers=token("https://elsewhere.example.com"))[0] == 401
    assert http("GET", front, headers={"Authorization": "Bearer nonsense"})[0] == 401
    # Nothing runs here behind the front end, and that is as far as one gets with a good token.
    assert http("GET", front, headers=token(made.uri))[0] == 503
    control.allow(PROJECT, {ANONYMOUS: ["run.services.*"]})
    assert http("GET", front, headers=token(made.uri))[0] == 403


def test_the_metadata_server_wants_its_header(http: Http) -> None:
    assert http("GET", f"{IDENTITY}?audience=x")[0] == 403
    assert http("GET", IDENTITY, headers={"Metadata-Flavor": "Google"})[0] == 400
    assert http("GET", "/computeMetadata/v1/other", headers={"Metadata-Flavor": "Google"})[0] == 404
