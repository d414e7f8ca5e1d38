"""The catalogue's entries about the target, the firewall, and what Redis and the network answer."""

from __future__ import annotations

from typing import Final

from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity.core.diagnosis.entry import Entry

__all__ = ["ANSWERS", "FIREWALL", "TARGET"]

_EDIT: Final = "kubectl edit rconn {name} -n {namespace}"
_DESCRIBE_RULE: Final = "gcloud compute firewall-rules describe {rule} --project={host_project}"
_LIST_RULES: Final = (
    "gcloud compute firewall-rules list --filter=network:{network} --sort-by=priority --project={host_project}"
)
_LIST_REDIS: Final = (
    "gcloud redis instances list --region={region} --project={project}",
    "gcloud redis clusters list --region={region} --project={project}",
    "gcloud memorystore instances list --location={region} --project={project}",
)
_DESCRIBE_REDIS: Final = (
    "gcloud redis instances describe {instance} --region={region} --project={project}",
    "gcloud redis clusters describe {instance} --region={region} --project={project}",
    "gcloud memorystore instances describe {instance} --location={region} --project={project}",
)
_DRIFT: Final = "kubectl get rconn {name} -n {namespace} -o jsonpath={.status.drift}"

TARGET: Final = (
    Entry(
        Code.REDIS_MISSING,
        summary="There is no {kind} {instance} in region {region} of project {project}.",
        knows="The name that `spec.redis` gives is not in the region's list.",
        remedy="Create it, or name the right one in spec.redis; a Redis is looked for in spec.region only.",
        commands=(*_LIST_REDIS, _EDIT),
        scenes=("redis-missing",),
    ),
    Entry(
        Code.REDIS_WRONG_NETWORK,
        summary="{kind} {instance} belongs to network {found}, and the connector is on {network}: no firewall rule can"
        " bridge that.",
        knows="The instance says for which network it is authorised, or in which networks its endpoints are.",
        remedy="Declare the path on network {found} (spec.network, with a connector there), or use an instance of"
        " network {network}.",
        commands=(*_DESCRIBE_REDIS, _EDIT),
        scenes=("redis-wrong-network", "vm-wrong-network"),
    ),
    Entry(
        Code.REDIS_NOT_READY,
        summary="{kind} {instance} is {state}. The firewall is not the cause.",
        knows="The instance's own state.",
        remedy="Wait until the instance is READY (a Redis Cluster or Valkey instance: ACTIVE); do not touch the"
        " firewall.",
        commands=_DESCRIBE_REDIS,
        scenes=("memorystore-maintenance",),
    ),
    Entry(
        Code.PEERING_MISSING,
        summary="Network {network} has no active peering to Google's network, where {kind} {instance} is.",
        knows="Memorystore for Redis is reached over a peering: `redis-peer-…`, which Google makes, for direct peering,"
        " `servicenetworking-googleapis-com` for private service access. The network lists no such peering, or one that"
        " is not ACTIVE.",
        remedy="Make the peering again: recreate the instance for direct peering; for private service access run"
        " `gcloud services vpc-peerings connect`.",
        commands=(
            "gcloud compute networks peerings list --network={network} --project={host_project}",
            (
                "gcloud services vpc-peerings connect --service=servicenetworking.googleapis.com --network={network}"
                " --ranges=RANGE --project={host_project}"
            ),
        ),
        scenes=("peering-missing",),
    ),
    Entry(
        Code.PSC_CONNECTION_LOST,
        summary="{kind} {instance} has lost a Private Service Connect connection.",
        knows="Redis Cluster and Valkey are reached through endpoints in the network; Google says that one of them is"
        " gone, or there is none.",
        remedy="Make the endpoint again: a service connection policy of network {network} makes them by itself, or"
        " register your own. Do not touch the firewall.",
        commands=(
            "gcloud network-connectivity service-connection-policies list --region={region} --project={host_project}",
        ),
        scenes=("psc-connection-lost",),
    ),
)

FIREWALL: Final = (
    Entry(
        Code.RULE_MISSING,
        summary="Firewall rule {rule}, which the path needs, is not there.",
        knows="The operator had made the rule, and it is not in the project's list any more.",
        remedy="Nothing: the operator makes it again. With driftPolicy: Report, set it to Remediate or make the rule"
        " yourself. Then find out who deletes it.",
        commands=(_LIST_RULES, _DRIFT),
        scenes=("rule-deleted",),
        heals="makes the rule again, unless `driftPolicy` is `Report`",
    ),
    Entry(
        Code.RULE_DISABLED,
        summary="Firewall rule {rule}, which the path needs, is disabled.",
        knows="The rule is there with `disabled: true`.",
        remedy="Nothing: the operator enables it again. With driftPolicy: Report, enable it yourself.",
        commands=(_DESCRIBE_RULE, _DRIFT),
        scenes=("rule-disabled",),
        heals="enables the rule, unless `driftPolicy` is `Report`",
    ),
    Entry(
        Code.RULE_NARROWED,
        summary="Firewall rule {rule} was narrowed: it leaves out addresses that the path needs.",
        knows="The rule's ranges or tags are not those that the operator had left.",
        remedy="Nothing: the operator widens it again. With driftPolicy: Report, put the old values back yourself.",
        commands=(_DESCRIBE_RULE, _DRIFT),
        scenes=("rule-narrowed",),
        heals="widens the rule, unless `driftPolicy` is `Report`",
    ),
    Entry(
        Code.RULE_CHANGED,
        summary="Firewall rule {rule} was changed by somebody else.",
        knows="A field of the rule (its ports, its priority, its action, …) is not what the operator had left; the"
        " evidence says which.",
        remedy="Nothing: the operator puts it back. With driftPolicy: Report, put the old values back yourself.",
        commands=(_DESCRIBE_RULE, _DRIFT),
        scenes=("rule-port-changed",),
        heals="puts the rule back, unless `driftPolicy` is `Report`",
    ),
    Entry(
        Code.RULE_FORBIDDEN,
        summary="{deny} denies the path's {direction}, and spec.firewall.{direction}: Never forbids the rule that would"
        " allow it.",
        knows="The rules as listed deny the path, and the spec says that the operator may make none in this direction.",
        remedy="Set spec.firewall.{direction} to Auto, or allow the traffic yourself.",
        commands=(_LIST_RULES, _EDIT),
        scenes=("rule-forbidden",),
    ),
    Entry(
        Code.DENIED_BY_POLICY,
        summary="{deny} denies the path's {direction}, and no VPC firewall rule can win against it.",
        knows="The network's effective firewalls hold a policy, of the organisation, a folder or the network itself,"
        " that is evaluated before VPC firewall rules.",
        remedy="Whoever owns the policy must allow {range} to {target} there, or make the rule `goto_next`.",
        commands=("gcloud compute networks get-effective-firewalls {network} --project={host_project}",),
        scenes=("hierarchical-deny",),
    ),
    Entry(
        Code.EGRESS_DENIED,
        summary="{deny} denies {entry} its way out to {target}.",
        knows="Of all rules that match the connector's traffic to Redis, this one is the strongest. The evidence says"
        " whose it is.",
        remedy="{advice}",
        commands=(_LIST_RULES,),
        scenes=("egress-denied", "deny-in-front"),
        heals="moves its own rule in front of the deny where a priority is left for that",
    ),
    Entry(
        Code.INGRESS_DENIED,
        summary="{deny} denies the connector's range {range} its way in to Redis at {target}.",
        knows="Of all rules that match the connector's traffic at the machine of Redis, this one is the strongest. The"
        " evidence says whose it is.",
        remedy="{advice}",
        commands=(_LIST_RULES,),
        scenes=("ingress-denied", "deny-in-front"),
        heals="moves its own rule in front of the deny where a priority is left for that",
    ),
    Entry(
        Code.RULE_UNCERTAIN,
        summary="A rule that cannot be judged from here may deny the path to {target}.",
        knows="A firewall policy matches by something that the operator does not know: a name, a place, a secure tag,"
        " an inspection. The evidence names it.",
        remedy="Let a probe tell: set spec.probe.proberUrl, and see that the prober answers there. Or ask the owner of"
        " the rule.",
        commands=("gcloud compute networks get-effective-firewalls {network} --project={host_project}",),
        scenes=("rule-uncertain",),
    ),
)

_REDIS_CLI: Final = "redis-cli -h HOST -p PORT"

ANSWERS: Final = (
    Entry(
        Code.DNS_FAILED,
        summary="The name in {target} has no IPv4 address where the prober runs.",
        knows="The prober, which stands where Cloud Run stands, asked DNS and got no address.",
        remedy="Check the name and the DNS zones of network {network}; a private zone must be bound to that network.",
        commands=("gcloud dns managed-zones list --project={host_project}",),
        scenes=("dns-failed",),
    ),
    Entry(
        Code.TLS_MISMATCH,
        summary="Redis at {target} and the path do not agree on TLS.",
        knows="Redis speaks TLS and was spoken to in plain, or the other way about, or the handshake failed; the"
        " evidence says which.",
        remedy="Set spec.redis.tls.enabled as Redis is set. TLS often has a port of its own: 6378 at Memorystore.",
        commands=(_EDIT, "openssl s_client -connect HOST:PORT"),
        scenes=("tls-mismatch",),
    ),
    Entry(
        Code.CERTIFICATE_REJECTED,
        summary="The certificate of Redis at {target} is not accepted.",
        knows="The TLS handshake ended because of a certificate: signed by nobody who is trusted, expired, for another"
        " name, or one that Redis wants of its clients. The evidence says which.",
        remedy="Put the CA that signed it into the Secret of spec.redis.tls.caSecretRef, set spec.redis.tls.serverName"
        " to the name in it, or renew it.",
        commands=("openssl s_client -connect HOST:PORT -showcerts", _EDIT),
        scenes=("certificate-rejected",),
    ),
    Entry(
        Code.NOT_REDIS,
        summary="What listens at {target} does not speak Redis' protocol.",
        knows="The connection opens, and the answer to PING is not in Redis' protocol.",
        remedy="Check the port in spec.redis: Redis listens on 6379 unless told otherwise, with TLS often on 6378.",
        commands=(_EDIT,),
        scenes=("not-redis",),
    ),
    Entry(
        Code.REDIS_STOPPED,
        summary="Nothing listens at {target}: the network is fine, Redis does not run there.",
        knows="The connection is refused at once. Only the host itself refuses, so packets get there and back.",
        remedy="Start Redis on its host, or correct the port in spec.redis. Do not touch the firewall.",
        commands=("systemctl status redis-server", "ss -ltn"),
        scenes=("redis-stopped",),
    ),
    Entry(
        Code.REDIS_FROZEN,
        summary="Redis at {target} takes connections and does not answer.",
        knows="The connection opens, PING is sent, and no answer comes in time. The kernel of the host takes"
        " connections for a process that hangs.",
        remedy="Look at the host of Redis: a long script or command, swapping, a stopped process.",
        commands=(f"{_REDIS_CLI} --latency", "SLOWLOG GET", "top"),
        scenes=("redis-paused",),
    ),
    Entry(
        Code.AUTH_MISSING,
        summary="Redis at {target} wants a password or access token, and the path declares none.",
        knows="Redis answered NOAUTH. The network is fine.",
        remedy="Say in spec.redis.auth where the password is, or with IAM authentication which account connects.",
        commands=(_EDIT,),
        scenes=("auth-required",),
    ),
    Entry(
        Code.AUTH_WRONG,
        summary="Redis at {target} does not accept the password or access token.",
        knows="Redis answered WRONGPASS. The network is fine.",
        remedy="Put the right password into the Secret that spec.redis.auth names, or with IAM authentication let the"
        " service account connect that it names.",
        commands=(_EDIT,),
        scenes=("wrong-password",),
    ),
    Entry(
        Code.ACL_DENIED,
        summary="Redis at {target} accepts user and password, and does not let them do what the probe does.",
        knows="Redis answered NOPERM. The network is fine.",
        remedy="Give the user the commands and keys that the evidence names (ACL SETUSER).",
        commands=("redis-cli ACL LIST", "redis-cli ACL LOG"),
        scenes=("acl-denied",),
    ),
    Entry(
        Code.SECRET_UNUSABLE,
        summary="What the path needs to speak to Redis at {target} cannot be had, so Redis was not asked.",
        knows="The Secret that spec.redis names is not there, may not be read, or has no such key; or Google did not"
        " give the AUTH string, the access token or the CA. The evidence says which.",
        remedy="Create the Secret in namespace {namespace} with the key that the evidence names, or let the operator"
        " read it.",
        commands=("kubectl get secrets -n {namespace}", _EDIT),
        scenes=("secret-missing",),
    ),
    Entry(
        Code.PROTECTED_MODE,
        summary="Redis at {target} is in protected mode and lets only its own host in.",
        knows="Redis answered DENIED. The network is fine.",
        remedy="Give Redis a password (requirepass), or bind it to its address and turn protected-mode off.",
        commands=("redis-cli CONFIG GET protected-mode",),
        scenes=("redis-protected",),
    ),
    Entry(
        Code.MAX_CLIENTS,
        summary="Redis at {target} has reached its maxclients limit.",
        knows="Redis answered that the maximum number of clients is reached. The network is fine.",
        remedy="Find who holds the connections (CLIENT LIST): pool them, set `timeout`, or raise maxclients.",
        commands=("redis-cli INFO clients", "redis-cli CLIENT LIST", "redis-cli CONFIG GET maxclients"),
        scenes=("redis-maxclients",),
    ),
    Entry(
        Code.REDIS_LOADING,
        summary="Redis at {target} is loading its data set into memory.",
        knows="Redis answered LOADING. The network is fine.",
        remedy="Wait until it is loaded; INFO persistence says how far it is.",
        commands=("redis-cli INFO persistence",),
        scenes=("redis-loading",),
    ),
    Entry(
        Code.OUT_OF_MEMORY,
        summary="Redis at {target} is full and takes no writes.",
        knows="Redis answered OOM to a write. The network is fine.",
        remedy="Free memory, raise maxmemory, or set an eviction policy (maxmemory-policy).",
        commands=("redis-cli INFO memory", "redis-cli CONFIG GET maxmemory-policy"),
        scenes=("redis-oom",),
    ),
    Entry(
        Code.READ_ONLY,
        summary="Redis at {target} is a replica and takes no writes.",
        knows="Redis answered READONLY to a write. The network is fine.",
        remedy="Point spec.redis at the primary; after a failover the address may be that of the old one.",
        commands=("redis-cli ROLE", "redis-cli INFO replication"),
        scenes=("redis-readonly",),
    ),
    Entry(
        Code.CLUSTER_TROUBLE,
        summary="Redis at {target} is a node of a cluster that cannot serve the probe.",
        knows="Redis answered CLUSTERDOWN, or MOVED: another node has the key.",
        remedy="Mend the cluster (CLUSTER INFO), or declare the target as a cluster.",
        commands=("redis-cli CLUSTER INFO", "redis-cli CLUSTER NODES"),
        scenes=("cluster-trouble",),
    ),
    Entry(
        Code.REDIS_ERROR,
        summary="Redis at {target} answers with an error of its own.",
        knows="Redis answered PING with an error that has no code of its own here; it stands in the evidence.",
        remedy="See the error in the evidence. The network is fine.",
        commands=("redis-cli PING",),
        scenes=("redis-error",),
    ),
    Entry(
        Code.CHECK_FAILED,
        summary="Redis at {target} is fine, and a later check of the chain failed.",
        knows="tcp and redisPing succeeded; an `http` check of spec.probe.checks did not. The evidence says how.",
        remedy="Look at the service that the check asks; path and Redis are not the cause.",
        commands=("kubectl get rconn {name} -n {namespace} -o jsonpath={.status.probe.checks}",),
        scenes=("check-failed",),
    ),
    Entry(
        Code.CONNECTION_RESET,
        summary="The connection to {target} opens and is broken off.",
        knows="The connection opens and is reset before PING is answered.",
        remedy="Look at what stands before Redis (a proxy, TLS, a limit of connections) and at the log of Redis.",
        commands=("redis-cli INFO clients",),
        scenes=("connection-reset",),
    ),
    Entry(
        Code.NO_ROUTE,
        summary="There is no route from {entry} to {target}.",
        knows="The network, or the host itself, answered that the address is unreachable, instead of dropping packets.",
        remedy="Check the address in spec.redis, the firewall of the host of Redis itself (one that rejects answers"
        " like this), and the routes of network {network}.",
        commands=("gcloud compute routes list --filter=network:{network} --project={host_project}",),
        scenes=("no-route",),
    ),
    Entry(
        Code.PROBER_UNAVAILABLE,
        summary="The prober behind {entry} cannot be asked, so nothing is known about Redis.",
        knows="The HTTP request to the prober failed, timed out, or was answered by something that is no prober; or"
        " the operator could not deploy it (`spec.probe.from: CloudRun`), for the reason in the evidence. The hops"
        " before it look right.",
        remedy="With spec.probe.from: CloudRun, do what the evidence says. Otherwise check spec.probe.proberUrl, that"
        " the prober's service runs behind {entry}, and that the operator may call it.",
        commands=("gcloud run services describe SERVICE --region={region} --project={project}", _EDIT),
        scenes=("prober-unavailable", "prober-not-deployed"),
    ),
    Entry(
        Code.PATH_TIMES_OUT,
        summary="Packets from {entry} to {target} are lost, and nothing that is visible explains it.",
        knows="Connecting times out again and again though network, connector, target and all rules that can be read"
        " are right.",
        remedy="Check the address in spec.redis, the firewall of the host of Redis itself (iptables), routes, and rules"
        " that the operator cannot judge (FQDN or geo matches of a policy).",
        commands=(
            "gcloud compute routes list --filter=network:{network} --project={host_project}",
            (
                "gcloud network-management connectivity-tests create NAME --source-ip-address=SOURCE"
                " --destination-ip-address=HOST --destination-port=PORT --protocol=TCP --project={project}"
            ),
        ),
        scenes=("redis-gone",),
    ),
)
