"""The catalogue's entries about network, connector and what keeps the operator from looking or acting."""

from __future__ import annotations

from typing import Final

from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity.core.diagnosis.entry import Entry

__all__ = ["ACCESS", "CONNECTOR", "NETWORK"]

_DESCRIBE_CONNECTOR: Final = (
    "gcloud compute networks vpc-access connectors describe {connector} --region={region} --project={project}"
)
_LIST_CONNECTORS: Final = "gcloud compute networks vpc-access connectors list --region={region} --project={project}"
_DELETE_CONNECTOR: Final = (
    "gcloud compute networks vpc-access connectors delete {connector} --region={region} --project={project}"
)
_LIST_NETWORKS: Final = "gcloud compute networks list --project={host_project}"
_EDIT: Final = "kubectl edit rconn {name} -n {namespace}"

NETWORK: Final = (
    Entry(
        Code.WRONG_NETWORK,
        summary="Network {network} does not exist in project {host_project}, but {near} does: the name is wrong.",
        knows="The network that `spec.network.name` names is not in the project's list of networks, while"
        " `${environment}-vpc`, the name that the environment stands for, is. A name such as `staging-vpc` copied into"
        " another environment looks just so.",
        remedy="Set spec.network.name to {near}, or leave spec.network out.",
        commands=(_LIST_NETWORKS, _EDIT),
        scenes=("wrong-network",),
    ),
    Entry(
        Code.NETWORK_MISSING,
        summary="Project {host_project} has no network {network}.",
        knows="The network is not in the project's list of networks.",
        remedy="Create the network, or name the right one in spec.network.name. Connector and rules wait for it.",
        commands=(_LIST_NETWORKS, _EDIT),
        scenes=("network-missing",),
    ),
    Entry(
        Code.SUBNET_MISSING,
        summary="There is no subnet {subnet} in region {region} of project {project}.",
        knows="The subnet that `spec.connector.subnet` names is not in the project's list of subnets in that region.",
        remedy="Create the subnet as a /28 for nothing but the connector, or name the right one in"
        " spec.connector.subnet.name.",
        commands=("gcloud compute networks subnets list --filter=region:{region} --project={project}",),
        scenes=("subnet-missing",),
    ),
    Entry(
        Code.SUBNET_UNSUITABLE,
        summary="Subnet {subnet} cannot carry a connector.",
        knows="The subnet is on another network, is no /28, or has another purpose than PRIVATE.",
        remedy="Name a subnet of network {network} that was made for the connector in spec.connector.subnet.name.",
        commands=("gcloud compute networks subnets list --filter=region:{region} --project={project}",),
        scenes=("subnet-unsuitable",),
    ),
    Entry(
        Code.WRONG_REGION,
        summary="{what} is in region {found}, and the path is declared in {region}.",
        knows="What is declared is not in the region's list, and something of that name is in another region's list."
        " Subnets are listed for all regions, and so is Redis where it is missing, once in five minutes. Google lists"
        " connectors for one region only: those of another one are known where another resource looks there.",
        remedy="Declare the path in region {found}, or use what is in region {region}: a connector must be in the"
        " region of the Cloud Run service.",
        commands=(
            "gcloud compute networks subnets list --project={host_project}",
            "gcloud redis instances list --region=- --project={project}",
            _EDIT,
        ),
        scenes=("wrong-region", "connector-wrong-region", "redis-wrong-region"),
    ),
)

CONNECTOR: Final = (
    Entry(
        Code.CONFLICT,
        summary="An older resource declares something that cannot be true together with {namespace}/{name}.",
        knows="Resources of the cluster are compared: one connector at two places, overlapping ranges in a network, or"
        " a subnet for two connectors. The older one has it.",
        remedy="Declare the same as the older resource, or give this one a connector and a range of its own.",
        commands=("kubectl get rconn -A --sort-by=.metadata.creationTimestamp", _EDIT),
        scenes=("conflict",),
    ),
    Entry(
        Code.DRIFT_CONTENDED,
        summary="Somebody else keeps undoing what the operator repairs.",
        knows="The same repair was undone again and again; it is done ever more rarely, and the evidence says what and"
        " since when. Before that the cause is what was changed, such as RuleNarrowed: one change and a fight begin"
        " alike.",
        remedy="Find who it is (status.drift, the audit log of project {project}), and settle who owns it: take it out"
        " of the other tool, or set driftPolicy: Report.",
        commands=(
            "kubectl get rconn {name} -n {namespace} -o jsonpath={.status.drift}",
            "gcloud logging read protoPayload.serviceName=compute.googleapis.com --project={project} --limit=20",
        ),
        scenes=("drift-contended",),
        heals="goes on repairing, at growing intervals",
    ),
    Entry(
        Code.CONNECTOR_MISSING,
        summary="There is no connector {connector} in region {region} of project {project}.",
        knows="The connector is not in the region's list, and either somebody deleted the one that the operator had"
        " made, or it is not the operator's to make (`management: Observed`).",
        remedy="Create the connector, or set spec.connector.management to Managed. One that the operator had made, it"
        " makes again.",
        commands=(_LIST_CONNECTORS,),
        scenes=("connector-deleted",),
        heals="makes its connector again, unless `driftPolicy` is `Report`",
    ),
    Entry(
        Code.CONNECTOR_WRONG_NETWORK,
        summary="Connector {connector} is on network {found}, but the path is declared on {network}.",
        knows="The connector says on which network it is. Cloud Run's traffic comes out there, and never gets to the"
        " declared network.",
        remedy="Name a connector of network {network} in spec.connector.name, or set spec.network.name to {found} if"
        " that is where Redis is.",
        commands=(_DESCRIBE_CONNECTOR, _EDIT),
        scenes=("connector-wrong-network",),
    ),
    Entry(
        Code.RANGE_OVERLAP,
        summary="The connector's range {range} overlaps another range that is in use.",
        knows="Subnets of the network and other connectors of the region are compared with the declared range before"
        " anything is created, for Google takes such a range and then leaves the connector in ERROR. Where packets are"
        " lost and nothing else explains it, a range or target in 172.17.0.0/16 is named too: Cloud Run keeps that for"
        " itself.",
        remedy="Set spec.connector.ipCidrRange to a /28 that nothing in network {network} uses, outside of"
        " 172.17.0.0/16.",
        commands=(
            "gcloud compute networks subnets list --network={network} --project={host_project}",
            _LIST_CONNECTORS,
            _EDIT,
        ),
        scenes=("range-overlap",),
    ),
    Entry(
        Code.CONNECTOR_CONFLICT,
        summary="Google left connector {connector} in ERROR: its range {range} conflicts with something that no list"
        " shows.",
        knows="The operation that created the connector ended with INVALID_ARGUMENT, and its text stands in the"
        " evidence. A route, a reserved range or a subnet of a peered network can be the reason; they are in no list"
        " that the operator reads.",
        remedy="Set spec.connector.ipCidrRange to a free /28; nothing is tried again before. The dead connector is"
        " removed by the operator.",
        commands=(
            "gcloud compute routes list --filter=network:{network} --project={host_project}",
            "gcloud compute addresses list --global --project={host_project}",
            _EDIT,
        ),
        scenes=("connector-conflict",),
    ),
    Entry(
        Code.CONNECTOR_RULES_SHADOWED,
        summary="{deny} cuts connector {connector} off from Google's own infrastructure.",
        knows="A connector works only while its machines reach 35.199.224.0/19 and are reached from there and from the"
        " health checkers (35.191.0.0/16, 130.211.0.0/22), all on tcp:667. Google opens that with rules of its own at"
        " priority 100, which may not be listed. The connector is in trouble, and a deny that is at least as strong"
        " covers that traffic.",
        remedy="Make {deny} weaker than priority 100, or exempt 35.199.224.0/19, 35.191.0.0/16 and 130.211.0.0/22 on"
        " tcp:667 and udp:665-666 from it.",
        commands=(
            "gcloud compute firewall-rules list --filter=network:{network} --sort-by=priority --project={host_project}",
        ),
        scenes=("connector-rules-shadowed",),
    ),
    Entry(
        Code.SHARED_VPC_RULES_MISSING,
        summary="Host project {host_project} lacks firewall rules that connector {connector} needs.",
        knows="The connector is in a service project, where Google makes no rules for it, and the rules of the host"
        " project deny its traffic with Google's infrastructure.",
        remedy="Make the rules that the evidence gives, in the host project.",
        commands=(
            "gcloud compute firewall-rules list --filter=network:{network} --sort-by=priority --project={host_project}",
        ),
        scenes=("shared-vpc-rules-missing",),
    ),
    Entry(
        Code.CONNECTOR_CREATION_FAILED,
        summary="Google could not create connector {connector}.",
        knows="The operation that created the connector ended in an error, whose text stands in the evidence.",
        remedy="Do what Google's text in the evidence asks for. Where it says only that the connector failed to get"
        " healthy, check, in this order: an organisation policy on trusted images (serverless-vpc-access-images),"
        " denies of tcp:667, Compute quotas.",
        commands=(
            "gcloud resource-manager org-policies describe compute.trustedImageProjects --project={project}",
            (
                "gcloud projects get-iam-policy {project} --flatten=bindings[].members"
                " --filter=bindings.role:roles/vpcaccess.serviceAgent"
            ),
        ),
        scenes=("connector-creation-failed",),
        heals="removes the dead connector and tries again, at growing intervals",
    ),
    Entry(
        Code.CONNECTOR_ERROR,
        summary="Connector {connector} is in state ERROR, from which a connector never recovers.",
        knows="The connector's own state.",
        remedy="Delete the connector when its services can bear it, and it is made again. One that the operator made,"
        " the operator replaces.",
        commands=(_DESCRIBE_CONNECTOR, _DELETE_CONNECTOR),
        scenes=("connector-error", "foreign-connector-error"),
        heals="replaces a connector that it made itself",
    ),
    Entry(
        Code.CONNECTOR_NOT_READY,
        summary="Connector {connector} is {state}.",
        knows="The connector's own state, when it was not the operator's work that brought it there.",
        remedy="Wait until Google is done with it; this takes a few minutes.",
        commands=(_DESCRIBE_CONNECTOR,),
        scenes=("connector-not-ready",),
    ),
    Entry(
        Code.CONNECTOR_DIFFERS,
        summary="Connector {connector} differs from the declared one in what Google cannot change in place.",
        knows="Range or subnet of the connector are not those of the spec. The evidence says what keeps it from being"
        " replaced, such as another resource that uses it.",
        remedy="Put the connector's real values into the spec, or delete the connector when its services can bear it."
        " One that the operator made it replaces with spec.connector.replacement: Recreate, unless the evidence"
        " says what is in the way.",
        commands=(_DESCRIBE_CONNECTOR, _EDIT),
        scenes=("connector-differs", "replacement-shared"),
    ),
)

_TEST_PERMISSION: Final = (
    "gcloud projects get-iam-policy {project} --flatten=bindings[].members --filter=bindings.members:ACCOUNT"
)

ACCESS: Final = (
    Entry(
        Code.NOT_ALLOWED_BY_POLICY,
        summary="A RedisConnectivityPolicy forbids what is declared, so nothing is looked at or changed.",
        knows="The policies of the cluster are compared with the spec before anything else is done; the evidence names"
        " the policy and the field.",
        remedy="Declare what the policy allows, or ask whoever keeps the cluster's policies.",
        commands=("kubectl get redisconnectivitypolicies -o yaml",),
        scenes=("policy-forbids",),
    ),
    Entry(
        Code.PERMISSION_MISSING,
        summary="The operator lacks a permission in project {project}.",
        knows="Google refused a call with PERMISSION_DENIED and named the permission; it stands in the evidence.",
        remedy="Grant the permission that the evidence names, best by the custom role that the manifests ship.",
        commands=(_TEST_PERMISSION,),
        scenes=("permission-lost",),
    ),
    Entry(
        Code.CREDENTIALS_REFUSED,
        summary="Google does not know the operator.",
        knows="Google answered UNAUTHENTICATED: the credentials are absent, expired or of no use.",
        remedy="Check Workload Identity: the annotation of the operator's service account, and the binding"
        " roles/iam.workloadIdentityUser on Google's side.",
        commands=("kubectl get serviceaccount redis-connectivity -n redis-connectivity-system -o yaml",),
        scenes=("credentials-refused",),
    ),
    Entry(
        Code.API_DISABLED,
        summary="A Google API that the path needs is not enabled in project {project}.",
        knows="Google refused a call with SERVICE_DISABLED and named the API; it stands in the evidence.",
        remedy="Enable the API that the evidence names in project {project}.",
        commands=(
            (
                "gcloud services enable compute.googleapis.com vpcaccess.googleapis.com redis.googleapis.com"
                " --project={project}"
            ),
        ),
        scenes=("api-disabled",),
    ),
    Entry(
        Code.PROJECT_MISSING,
        summary="Google does not find project {project}.",
        knows="Google answered NOT_FOUND for the project itself.",
        remedy="Check spec.projectId; the project may have been deleted, or moved out of sight.",
        commands=("gcloud projects describe {project}", _EDIT),
        scenes=("project-missing",),
    ),
    Entry(
        Code.QUOTA_EXHAUSTED,
        summary="A quota of project {project} is used up.",
        knows="Google refused a call with RATE_LIMIT_EXCEEDED or QUOTA_EXCEEDED; the evidence says which.",
        remedy="Wait, for a request quota refills by the minute; raise a quota of things, or remove what is unused.",
        commands=("gcloud compute project-info describe --project={project}",),
        scenes=("quota-exhausted",),
    ),
    Entry(
        Code.CLOUD_UNAVAILABLE,
        summary="Google Cloud cannot be asked about project {project} now.",
        knows="A Google API answers with 5xx, or not at all. What was last seen of the path may be old.",
        remedy="Wait: it is tried again. If it lasts, see https://status.cloud.google.com and whether the operator's"
        " pod may reach googleapis.com.",
        commands=("kubectl logs deployment/redis-connectivity -n redis-connectivity-system",),
        scenes=("api-unavailable",),
    ),
    Entry(
        Code.OPERATION_FAILED,
        summary="Google refused a change that the path needs.",
        knows="A call was refused, or its operation ended in an error; Google's text stands in the evidence.",
        remedy="See Google's text in the evidence; the change is tried again.",
        commands=("gcloud compute operations list --filter=error:* --project={project}",),
        scenes=("operation-failed",),
    ),
)
