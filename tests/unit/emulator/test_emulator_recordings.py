"""The emulator against exchanges recorded with Google Cloud, request by request and field by field.

Every recorded request is sent to the emulator in its order; the answer must have the recorded status, the recorded
keys, and values of the recorded shape. Values that a recording has replaced by placeholders, and those that differ from
call to call (ids, times, fingerprints, names of operations), are compared by shape only.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from emulator_support import PROJECT, Http

from redis_connectivity_lab.emulator import ControlClient

FOLDER = Path(__file__).parents[4] / "shared" / "recordings"

#: Placeholders for what a test run names.
NAMES = {"${projectId}": PROJECT, "${networkID}": "default", "${firewallID}": "rule-1", "${uniqueId}": "abc"}
NAMES |= {"${subnetworkID}": "subnet-1"}
#: Fields whose values differ from call to call, by the shape they must have.
SHAPES = {
    "id": r"\d+",
    "targetId": r"\d+",
    "creationTimestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z",
    "insertTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z",
    "startTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z",
    "endTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z",
    "createTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z",
    "fingerprint": r"[A-Za-z0-9+/]{11}=",
    "user": r"[^@\s]+@[^@\s]+",
    "host": r"\d+\.\d+\.\d+\.\d+",
    # The recording keeps a made-up gateway and range in place of the real ones.
    "gatewayAddress": r"\d+\.\d+\.\d+\.\d+",
    "reservedIpRange": r"\d+\.\d+\.\d+\.\d+/\d+",
    "persistenceIamIdentity": r"serviceAccount:service-\d+@cloud-redis\.iam\.gserviceaccount\.com",
    "internalIpv6Range": r"fd20:.*/48",
    # With the network's numeric id in place of its name, which the recording has turned into a name.
    "selfLinkWithId": r"https://www\.googleapis\.com/compute/v1/projects/[^/]+/global/networks/\d+",
}
#: What the emulator answers and a recording lacks. These recordings are a mock's (or equal to it), which leaves out
#: what the API's description and the real recording of a network have.
MORE = {
    "compute-firewall": {"logConfig", "routingConfig", "sourceRanges"},
    "vpcaccess-connector-cidr": {"routingConfig"},
}
#: Recorded by the mock as the caller's partial URL; Google gives the full one, as the subnetwork's recording shows.
PARTIAL = {"compute-firewall": {"network"}}


@dataclass
class Exchange:
    method: str
    path: str
    request: Any
    status: int
    answer: Any


def _json_at_end(lines: list[str]) -> Any:
    return json.loads("\n".join(lines[lines.index("{") :])) if "{" in lines else None


def exchanges(name: str) -> list[Exchange]:
    found = []
    for part in (FOLDER / f"{name}.http.log").read_text().split("\n---\n"):
        lines = part.strip().splitlines()
        at = next(i for i, line in enumerate(lines) if re.fullmatch(r"\d{3} [A-Z].*", line))
        method, url = lines[0].split(" ", 1)
        path = re.sub(r"^https://[a-z]+\.googleapis\.com", "", url)
        found.append(
            Exchange(method, path, _json_at_end(lines[1:at]), int(lines[at].split()[0]), _json_at_end(lines[at + 1 :]))
        )
    return found


def _named(value: Any) -> Any:
    text = json.dumps(value)
    for placeholder, name in NAMES.items():
        text = text.replace(placeholder, name)
    return json.loads(text)


def _compare(where: str, recorded: Any, got: Any, log: str) -> None:
    if isinstance(recorded, dict):
        assert isinstance(got, dict), where
        assert set(got) - MORE.get(log, set()) == set(recorded), where
        for key, value in recorded.items():
            _compare(f"{where}.{key}", value, got[key], log)
        return
    if isinstance(recorded, list):
        assert isinstance(got, list), where
        assert len(got) == len(recorded), where
        for index, (one, other) in enumerate(zip(recorded, got, strict=True)):
            _compare(f"{where}[{index}]", one, other, log)
        return
    assert type(got) is type(recorded), f"{where}: {got!r} for {recorded!r}"
    field = where.rsplit(".", 1)[-1]
    if field == "id" and not str(recorded).isdigit():
        assert got == recorded, where
    elif field in SHAPES:
        assert re.fullmatch(SHAPES[field], str(got)), f"{where}: {got!r}"
    elif isinstance(recorded, str) and "${" in recorded:
        pattern = "[^/]+".join(re.escape(part) for part in re.split(r"\$\{\w+\}", recorded))
        assert re.fullmatch(pattern, got), f"{where}: {got!r} for {recorded!r}"
    elif field in PARTIAL.get(log, set()):
        assert got == f"https://www.googleapis.com/compute/v1/{recorded}", where
    else:
        assert got == recorded, where


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the recordings are not beside this clone (../shared/recordings)")
@pytest.mark.parametrize(
    "log", ["compute-firewall", "compute-network", "compute-subnetwork", "redis-instance", "vpcaccess-connector-cidr"]
)
def test_recorded(log: str, http: Http, control: ControlClient) -> None:
    own_network = log in {"compute-network", "compute-subnetwork"}
    if not own_network:
        control.project(PROJECT, defaultNetwork=True)
    operation = ""
    for number, exchange in enumerate(exchanges(log)):
        path = _named(exchange.path)
        is_poll = "${operationID}" in path
        path = path.replace("${operationID}", operation.rsplit("/", 1)[-1])
        if is_poll and "/compute/" in path:
            http("POST", path.split("?")[0] + "/wait")
        status, got = http(exchange.method, path, _named(exchange.request) if exchange.request else None)
        while is_poll and "/compute/" not in path and not got.get("done"):
            status, got = http(exchange.method, path)
        assert status == exchange.status, (number, exchange.method, path, got)
        _compare(f"{log}#{number}", _named(exchange.answer), got, log)
        if exchange.method != "GET":
            operation = got["name"]
    assert operation
