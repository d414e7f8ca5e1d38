"""Google's own clients, plain HTTP, and good bodies, for the emulator's tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import requests
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import compute_v1, iam_credentials_v1, redis_v1, run_v2, vpcaccess_v1

PROJECT = "acme-staging"
REGION = "us-central1"
COMPUTE = f"/compute/v1/projects/{PROJECT}"
LOCATION = f"/v1/projects/{PROJECT}/locations/{REGION}"
PARENT = f"projects/{PROJECT}/locations/{REGION}"


@dataclass
class Clients:
    """Google's clients as the operator makes them."""

    url: str

    def _make(self, kind: Any, **more: Any) -> Any:
        return kind(credentials=AnonymousCredentials(), client_options=ClientOptions(api_endpoint=self.url), **more)

    @cached_property
    def firewalls(self) -> compute_v1.FirewallsClient:
        return self._make(compute_v1.FirewallsClient)

    @cached_property
    def networks(self) -> compute_v1.NetworksClient:
        return self._make(compute_v1.NetworksClient)

    @cached_property
    def subnetworks(self) -> compute_v1.SubnetworksClient:
        return self._make(compute_v1.SubnetworksClient)

    @cached_property
    def instances(self) -> compute_v1.InstancesClient:
        return self._make(compute_v1.InstancesClient)

    @cached_property
    def operations(self) -> compute_v1.GlobalOperationsClient:
        return self._make(compute_v1.GlobalOperationsClient)

    @cached_property
    def region_operations(self) -> compute_v1.RegionOperationsClient:
        return self._make(compute_v1.RegionOperationsClient)

    @cached_property
    def vpcaccess(self) -> vpcaccess_v1.VpcAccessServiceClient:
        return self._make(vpcaccess_v1.VpcAccessServiceClient, transport="rest")

    @cached_property
    def redis(self) -> redis_v1.CloudRedisClient:
        return self._make(redis_v1.CloudRedisClient, transport="rest")

    @cached_property
    def iam_credentials(self) -> iam_credentials_v1.IAMCredentialsClient:
        return self._make(iam_credentials_v1.IAMCredentialsClient, transport="rest")

    @cached_property
    def run(self) -> run_v2.ServicesClient:
        return self._make(run_v2.ServicesClient, transport="rest")


class Http:
    """Plain requests to the emulator."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        response = self.session.request(method, self.url + path, json=body, timeout=30, **more)
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return response.status_code, response.json() if is_json and response.content else response.text

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """A Compute write, waited for; answers the finished operation."""
        status, operation = self(method, path, body)
        assert status == 200, operation
        link = operation["selfLink"].removeprefix("https://www.googleapis.com")
        status, finished = self("POST", f"{link}/wait")
        assert status == 200
        assert finished["status"] == "DONE", finished
        return finished

    def long_done(self, method: str, path: str, body: Any = None) -> Any:
        """A write of a one-platform API, waited for; answers the finished operation."""
        status, operation = self(method, path, body)
        assert status == 200, operation
        prefix = path.partition("/v1/")[0]
        for _ in range(1000):
            status, operation = self("GET", f"{prefix}/v1/{operation['name']}")
            assert status == 200
            if operation.get("done"):
                return operation
        raise AssertionError(f"{operation['name']} does not end")


def rule(**changes: Any) -> dict[str, Any]:
    """A good firewall rule's body, with changes; None takes a field away."""
    body: dict[str, Any] = {
        "name": "allow-vpc-connector-to-redis",
        "network": f"projects/{PROJECT}/global/networks/staging-vpc",
        "direction": "INGRESS",
        "allowed": [{"IPProtocol": "tcp", "ports": ["6379"]}],
        "sourceRanges": ["10.2.0.0/28"],
        "targetTags": ["redis-instance"],
    } | changes
    return {key: value for key, value in body.items() if value is not None}


def connector(**changes: Any) -> dict[str, Any]:
    """A good connector's body, with changes; None takes a field away."""
    body: dict[str, Any] = {
        "network": "staging-vpc",
        "ipCidrRange": "10.2.0.0/28",
        "minInstances": 2,
        "maxInstances": 3,
    } | changes
    return {key: value for key, value in body.items() if value is not None}
