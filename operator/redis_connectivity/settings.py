"""Settings of the operator: a flag, an environment variable `REDIS_CONNECTIVITY_…`, or the default, in that order.

The fields and their descriptions are the one source of `redis-connectivity run --help` and of docs/settings.md.
"""

from __future__ import annotations

import enum
import os
import socket
import uuid
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from redis_connectivity.api import limits
from redis_connectivity.api.form import Form
from redis_connectivity.api.ranges import Ipv4Range

__all__ = ["ENV_PREFIX", "Credentials", "LogFormat", "LogLevel", "Settings", "default_identity"]

ENV_PREFIX: Final = "REDIS_CONNECTIVITY_"
#: [host/]repo-path[:tag][@digest], as Cloud Run puts it.
IMAGE_PATTERN: Final = (
    r"^[a-z0-9]([a-z0-9._/:-]*[a-z0-9])?(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
)


class Credentials(enum.StrEnum):
    """How the operator proves to Google who it is."""

    ADC = "adc"
    ANONYMOUS = "anonymous"


class LogLevel(enum.StrEnum):
    """Least severity that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(enum.StrEnum):
    """One JSON object a line, or lines for people."""

    JSON = "json"
    CONSOLE = "console"


def default_identity() -> str:
    """The pod's name, which is unique and survives a restart of the container; else something unique."""
    pod = os.environ.get("POD_NAME")
    return pod or f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"


_URL: Final = Form(
    limits.HTTP_URL_PATTERN, "must be an http or https URL with a host, such as https://compute.googleapis.com"
)
_NAMESPACE: Final = Form(
    limits.NAMESPACE_PATTERN,
    "must be a namespace: 1 to 63 characters of a-z, 0-9 and '-', not starting or ending with '-'",
)


def _http_url(value: str | None) -> str | None:
    return _URL.check(value).rstrip("/") if value else None


def _names(value: object) -> object:
    if isinstance(value, str):
        return tuple(part for part in value.replace(",", " ").split() if part)
    return value


Endpoint = Annotated[str | None, AfterValidator(_http_url)]
Namespace = Annotated[str, _NAMESPACE]
Range = Annotated[str, Ipv4Range()]
#: Neither infinite nor "not a number", which would pass for a bound.
Seconds = Annotated[float, Field(allow_inf_nan=False)]


class Settings(BaseSettings):
    """Everything that can be set. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    kubeconfig: Path | None = Field(default=None, description="Kubeconfig file; without it the pod's own account.")
    context: str | None = Field(default=None, description="Context of the kubeconfig.")
    namespaces: Annotated[tuple[Namespace, ...], NoDecode, BeforeValidator(_names)] = Field(
        default=(), description="Namespaces to watch, separated by commas; none means all."
    )
    namespace: Namespace = Field(
        default_factory=lambda: os.environ.get("POD_NAMESPACE") or "redis-connectivity-system",
        description="The operator's own namespace: its Lease and its ledgers are there. Default $POD_NAMESPACE.",
    )
    identity: str = Field(
        default_factory=default_identity,
        min_length=1,
        description="Name in the Lease; must be unique to the process. Default $POD_NAME.",
    )

    credentials: Credentials = Field(
        default=Credentials.ADC,
        description="adc: Application Default Credentials (Workload Identity, a key file, gcloud). anonymous: none.",
    )
    impersonate_service_account: str | None = Field(
        default=None, description="E-mail of a service account to act as; needs roles/iam.serviceAccountTokenCreator."
    )
    compute_endpoint: Endpoint = Field(default=None, description="Base URL of the Compute API instead of Google's.")
    vpcaccess_endpoint: Endpoint = Field(
        default=None, description="Base URL of the Serverless VPC Access API instead of Google's."
    )
    redis_endpoint: Endpoint = Field(default=None, description="Base URL of the Memorystore API instead of Google's.")
    redis_cluster_endpoint: Endpoint = Field(
        default=None, description="Base URL of the Memorystore for Redis Cluster API instead of Google's."
    )
    memorystore_endpoint: Endpoint = Field(
        default=None, description="Base URL of the Memorystore for Valkey API instead of Google's."
    )
    logging_endpoint: Endpoint = Field(
        default=None, description="Base URL of the Cloud Logging API instead of Google's."
    )
    network_management_endpoint: Endpoint = Field(
        default=None, description="Base URL of the Network Management API (`connectivity-test`) instead of Google's."
    )
    run_endpoint: Endpoint = Field(default=None, description="Base URL of the Cloud Run Admin API instead of Google's.")
    iam_credentials_endpoint: Endpoint = Field(
        default=None, description="Base URL of the IAM Service Account Credentials API instead of Google's."
    )

    prober_image: str | None = Field(
        default=None,
        pattern=IMAGE_PATTERN,
        description=(
            "Container image of the probers that are deployed on Cloud Run for spec.probe.from: CloudRun; the"
            " operator's own, in a registry that Cloud Run can read."
        ),
    )
    prober_service_account: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "Service account that these probers run as: an e-mail, or a name in each resource's own project. It needs"
            " no rights, and should have none. Default: the project's Compute Engine default account."
        ),
    )
    prober_allow: Annotated[tuple[Range, ...], NoDecode, BeforeValidator(_names)] = Field(
        default=(),
        description=(
            "Ranges that targets of these probers may be in, separated by commas; they refuse any other. Default: the"
            " private ranges (RFC 1918, RFC 6598)."
        ),
    )

    audit_log: bool = Field(
        default=False,
        description="Ask Cloud Logging who made the changes that are found as drift; needs logging.logEntries.list.",
    )
    poll_interval: Seconds = Field(
        default=3.0, ge=0.2, le=3600, description="Between two lists of a project's firewall rules and connectors."
    )
    scarce_poll_interval: Seconds = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="Between two lists of a region's Redis Clusters or Valkey instances: Google grants few calls.",
    )
    resync_interval: Seconds = Field(
        default=600.0, ge=1, description="Between two looks at a resource when nothing happened; writes nothing."
    )
    relist_interval: Seconds = Field(
        default=300.0, ge=1, description="Between two lists of all resources, in case the watch missed something."
    )
    status_heartbeat: Seconds = Field(
        default=600.0,
        ge=30,
        description="Least time between two status writes for figures that merely move (last probe, latency).",
    )
    operator_probes: bool = Field(
        default=True, description="Probe from the operator's own pod where a resource names no prober."
    )
    workers: int = Field(default=32, ge=1, le=512, description="Resources reconciled at the same time.")
    cloud_threads: int = Field(default=16, ge=1, le=128, description="Calls to Google under way at the same time.")
    probes_in_flight: int = Field(default=64, ge=1, le=1024, description="Probes under way at the same time.")
    compute_read_budget: int = Field(default=600, ge=1, description="Compute reads a minute and project.")
    compute_write_budget: int = Field(default=240, ge=1, description="Compute writes a minute and project.")
    vpcaccess_budget: int = Field(default=240, ge=1, description="Serverless VPC Access calls a minute and project.")
    redis_budget: int = Field(default=240, ge=1, description="Memorystore calls a minute and project.")
    redis_cluster_budget: int = Field(
        default=30, ge=1, description="Redis Cluster calls a minute and project; Google grants 60."
    )
    memorystore_budget: int = Field(
        default=30, ge=1, description="Valkey calls a minute and project; Google grants 60."
    )
    logging_budget: int = Field(default=30, ge=1, description="Cloud Logging calls a minute and project.")
    run_budget: int = Field(default=120, ge=1, description="Cloud Run Admin calls a minute and project.")
    iam_credentials_budget: int = Field(
        default=120, ge=1, description="Access tokens made a minute and project, for spec.redis.auth.iam."
    )

    lease_duration: Seconds = Field(default=15.0, ge=1, description="How long the Lease is good without renewal.")
    shutdown_grace: Seconds = Field(
        default=20.0, ge=0, description="How long work in flight may take to finish after SIGTERM."
    )

    health_host: str = Field(default="0.0.0.0", description="Address of /healthz, /readyz and /metrics.")  # noqa: S104 - kubelet and Prometheus come from outside of the pod
    health_port: int = Field(default=8081, ge=0, le=65535, description="Port of the same; 0 picks a free one.")
    web: bool = Field(default=True, description="Serve the page that shows every path, read-only.")
    web_host: str = Field(
        default="127.0.0.1",
        description=(
            "Address of the page. On loopback it is for `kubectl port-forward`; on any other it asks for a bearer token"
            " of somebody who may list the resources."
        ),
    )
    web_port: int = Field(default=8082, ge=0, le=65535, description="Port of the page; 0 picks a free one.")
    log_level: LogLevel = Field(default=LogLevel.INFO, description="Least severity that is logged.")
    log_format: LogFormat = Field(default=LogFormat.JSON, description="json, or console for people.")
