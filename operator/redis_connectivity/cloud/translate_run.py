"""Cloud Run services as frozen values, and back. Source: run.v2 Service."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from google.cloud import run_v2

from redis_connectivity.core.runvalues import Rollout, RunService, WayOut

__all__ = ["run_service_from_google", "run_service_to_google"]

#: The operator's own mark on a template.
_ATTEMPT: Final = "redis-connectivity-attempt"
_DESCRIPTION: Final = "Probes Redis for redis-connectivity, which keeps it: edits are undone."
#: Requests at once to one instance, as many as the prober takes.
_CONCURRENCY: Final = 64
#: Instances at most: probes are few and short.
_INSTANCES: Final = 3
#: The longest that a request may take: the longest probe is 30 s.
_TIMEOUT: Final = timedelta(seconds=60)


def run_service_from_google(service: run_v2.Service, project: str, region: str) -> RunService:
    """A run.v2 Service as a value. Its project is the one it was asked for under."""
    pb: Any = run_v2.Service.pb(service)
    container = pb.template.containers[0] if pb.template.containers else run_v2.Container.pb(run_v2.Container())
    attempt = dict(pb.template.labels).get(_ATTEMPT, "0")
    return RunService(
        project=project,
        region=region,
        name=pb.name.rpartition("/")[2],
        image=container.image,
        args=tuple(container.args),
        way=_way(pb.template.vpc_access),
        labels=frozenset(dict(pb.labels).items()),
        service_account=pb.template.service_account,
        attempt=int(attempt) if attempt.isdigit() else 0,
        uri=pb.uri,
        rollout=_rollout(pb),
        serves=bool(pb.latest_ready_revision),
        message=pb.terminal_condition.message,
        deleting=pb.HasField("delete_time"),
    )


def _way(access: Any) -> WayOut:  # noqa: ANN401 - a protobuf message, which has no type here
    if not access.network_interfaces:
        return WayOut(connector=access.connector)
    interface = access.network_interfaces[0]
    return WayOut(network=interface.network, subnetwork=interface.subnetwork, tags=frozenset(interface.tags))


def _rollout(pb: Any) -> Rollout:  # noqa: ANN401 - a protobuf message, which has no type here
    state = run_v2.Condition.State
    if pb.reconciling:
        return Rollout.UNDER_WAY
    if pb.terminal_condition.state == state.CONDITION_SUCCEEDED:
        return Rollout.SUCCEEDED
    return Rollout.FAILED if pb.terminal_condition.state == state.CONDITION_FAILED else Rollout.UNDER_WAY


def run_service_to_google(service: RunService) -> run_v2.Service:
    """The body of a create; an update has the name besides.

    Callers come from the internet as far as Cloud Run is concerned (the operator's cluster may be anywhere), and must
    show who they are: nobody but those with run.routes.invoke gets in, which is the API's default.
    """
    access = run_v2.VpcAccess(egress=run_v2.VpcAccess.VpcEgress.PRIVATE_RANGES_ONLY)
    if service.way.connector:
        access.connector = service.way.connector
    else:
        interface = run_v2.VpcAccess.NetworkInterface(
            network=service.way.network, subnetwork=service.way.subnetwork, tags=sorted(service.way.tags)
        )
        access.network_interfaces = [interface]
    template = run_v2.RevisionTemplate(
        containers=[run_v2.Container(image=service.image, args=list(service.args))],
        vpc_access=access,
        timeout=_TIMEOUT,
        max_instance_request_concurrency=_CONCURRENCY,
        scaling=run_v2.RevisionScaling(max_instance_count=_INSTANCES),
        service_account=service.service_account,
        labels={_ATTEMPT: str(service.attempt)} if service.attempt else {},
    )
    return run_v2.Service(
        description=_DESCRIPTION,
        labels=dict(service.labels),
        ingress=run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL,
        template=template,
    )
