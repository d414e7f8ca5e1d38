"""Scenes about Redis: where it is, and what it answers."""

from __future__ import annotations

from typing import Final

from redis_connectivity.api.conditions import Reason
from redis_connectivity.api.diagnosis import DiagnosisCode as Code
from redis_connectivity_lab.dataplane.protocol import HostFirewall
from redis_connectivity_lab.scene import Scene
from redis_connectivity_lab.scene_acts import memorystore_maintenance, redis_paused, redis_stopped
from redis_connectivity_lab.scene_network_acts import declared, peering_missing, prober_gone, prober_not_deployed
from redis_connectivity_lab.scene_redis_acts import (
    READ_WRITE,
    certificate_untrusted,
    http_check_fails,
    max_clients,
    not_redis,
    redis_loading,
    refuses,
    secret_missing,
    wrong_password,
)
from redis_connectivity_lab.scene_shared_acts import cluster_slots_lost, host_firewall
from redis_connectivity_lab.scene_target_acts import (
    endpoint_lost,
    redis_elsewhere,
    redis_in_another_region,
    vm_elsewhere,
    vm_gone,
)
from redis_connectivity_lab.worlds import PRODUCTION, STAGING

__all__ = ["REDIS"]

REDIS: Final = (
    Scene("redis-stopped", "Redis is killed", redis_stopped, Code.REDIS_STOPPED, names=Reason.PROBE_FAILED),
    Scene(
        "redis-paused",
        "Redis freezes: connections open, and get no answer",
        redis_paused,
        Code.REDIS_FROZEN,
        names=Reason.PROBE_FAILED,
    ),
    Scene(
        "redis-gone",
        "the machine of Redis is switched off: packets get no answer",
        vm_gone,
        Code.PATH_TIMES_OUT,
        (STAGING,),
        Reason.PROBE_FAILED,
    ),
    Scene(
        "no-route",
        "the machine's own firewall rejects connections: the answer is ICMP, not silence",
        host_firewall(
            "the firewall of Redis' own machine answers that the host is prohibited",
            "Reachable turns False: there is no way to the address, though Google's rules allow it",
            HostFirewall.UNREACHABLE,
        ),
        Code.NO_ROUTE,
        (STAGING,),
        Reason.PROBE_FAILED,
    ),
    Scene(
        "connection-reset",
        "something on Redis' machine resets connections as soon as data flows",
        host_firewall(
            "the firewall of Redis' own machine resets each connection at its first data",
            "Reachable turns False: connections open, and are broken off before PING is answered",
            HostFirewall.RESET,
        ),
        Code.CONNECTION_RESET,
        (STAGING,),
        Reason.PROBE_FAILED,
    ),
    Scene(
        "redis-missing",
        "the name of the Memorystore instance has a slip in it",
        declared(
            "declared the instance chat-cash",
            "RedisReady turns False: there is no such instance",
            lambda _: {"redis": {"memorystore": {"instance": "chat-cash"}}},
        ),
        Code.REDIS_MISSING,
        (PRODUCTION,),
        Reason.REDIS_NOT_FOUND,
    ),
    Scene(
        "redis-wrong-region",
        "the Memorystore instance was made in another region",
        redis_in_another_region,
        Code.WRONG_REGION,
        (PRODUCTION,),
        Reason.REDIS_NOT_FOUND,
    ),
    Scene(
        "memorystore-maintenance",
        "the Memorystore instance is taken out for maintenance",
        memorystore_maintenance,
        Code.REDIS_NOT_READY,
        (PRODUCTION,),
        Reason.REDIS_NOT_READY,
        cut=True,
    ),
    Scene(
        "redis-wrong-network",
        "the path is declared to an instance of another network",
        redis_elsewhere,
        Code.REDIS_WRONG_NETWORK,
        (PRODUCTION,),
        Reason.REDIS_WRONG_NETWORK,
    ),
    Scene(
        "vm-wrong-network",
        "the path is declared to a machine of another network",
        vm_elsewhere,
        Code.REDIS_WRONG_NETWORK,
        (STAGING,),
        Reason.PROBE_FAILED,
    ),
    Scene(
        "peering-missing",
        "somebody deletes the network's peering with Memorystore",
        peering_missing,
        Code.PEERING_MISSING,
        (PRODUCTION,),
        Reason.REDIS_PEERING_MISSING,
    ),
    Scene(
        "prober-unavailable",
        "somebody deletes the prober",
        prober_gone,
        Code.PROBER_UNAVAILABLE,
        names=Reason.PROBER_UNAVAILABLE,
    ),
    Scene(
        "prober-not-deployed",
        "the image of the prober that the operator is to deploy is gone",
        prober_not_deployed,
        Code.PROBER_UNAVAILABLE,
        names=Reason.PROBER_UNAVAILABLE,
    ),
    Scene(
        "redis-maxclients",
        "somebody holds every connection that Redis has",
        max_clients,
        Code.MAX_CLIENTS,
        names=Reason.PROBE_FAILED,
    ),
    Scene(
        "redis-loading",
        "Redis loads its data set, which takes a while",
        redis_loading,
        Code.REDIS_LOADING,
        names=Reason.PROBE_FAILED,
    ),
    Scene(
        "redis-oom",
        "Redis is full: it answers PING, and takes no writes",
        refuses(
            "Redis has a maxmemory of one byte, and evicts nothing; the probe writes",
            "Reachable turns False: Redis answers OOM to a write",
            (("CONFIG", "SET", "maxmemory-policy", "noeviction"), ("CONFIG", "SET", "maxmemory", "1")),
            (("CONFIG", "SET", "maxmemory", "0"),),
            checks=READ_WRITE,
        ),
        Code.OUT_OF_MEMORY,
        names=Reason.PROBE_FAILED,
    ),
    Scene(
        "redis-readonly",
        "Redis has become a replica: it answers PING, and takes no writes",
        refuses(
            "Redis is a replica of a primary that is not there; the probe writes",
            "Reachable turns False: Redis answers READONLY to a write",
            (("REPLICAOF", "127.0.0.1", "1"),),
            (("REPLICAOF", "NO", "ONE"),),
            checks=READ_WRITE,
        ),
        Code.READ_ONLY,
        names=Reason.PROBE_FAILED,
    ),
    Scene(
        "cluster-trouble",
        "a Redis Cluster's node has lost its slots: it answers PING, and serves no key",
        cluster_slots_lost,
        Code.CLUSTER_TROUBLE,
        (PRODUCTION,),
        Reason.PROBE_FAILED,
    ),
    Scene(
        "redis-error",
        "Redis is a replica that has lost its primary, and serves nothing old",
        refuses(
            "Redis has lost its primary, and serves no stale data",
            "Reachable turns False: Redis answers MASTERDOWN",
            (("CONFIG", "SET", "replica-serve-stale-data", "no"), ("REPLICAOF", "127.0.0.1", "1")),
            (("REPLICAOF", "NO", "ONE"), ("CONFIG", "SET", "replica-serve-stale-data", "yes")),
        ),
        Code.REDIS_ERROR,
        names=Reason.PROBE_FAILED,
    ),
    Scene(
        "redis-protected",
        "Redis is in protected mode, and lets its own host in alone",
        refuses(
            "turned protected-mode on",
            "Reachable turns False: Redis says what it does",
            (("CONFIG", "SET", "protected-mode", "yes"),),
            (("CONFIG", "SET", "protected-mode", "no"),),
        ),
        Code.PROTECTED_MODE,
        (STAGING,),
        Reason.PROBE_FAILED,
    ),
    Scene(
        "acl-denied",
        "Redis knows the user, and does not let it PING",
        refuses(
            "took PING from the default user",
            "Reachable turns False: Redis answers NOPERM",
            (("ACL", "SETUSER", "default", "-ping"),),
            (("ACL", "SETUSER", "default", "+ping"),),
        ),
        Code.ACL_DENIED,
        names=Reason.AUTHENTICATION_FAILED,
    ),
    Scene(
        "auth-required",
        "Redis wants a password, and the path declares none",
        refuses(
            "gave Redis a password; the probe writes",
            "Reachable turns False: Redis answers NOAUTH, so the network is fine",
            (("CONFIG", "SET", "requirepass", "a-password"),),
            (("CONFIG", "SET", "requirepass", ""),),
            checks=READ_WRITE,
        ),
        Code.AUTH_MISSING,
        names=Reason.AUTHENTICATION_FAILED,
    ),
    Scene(
        "wrong-password",
        "Redis wants another password than the Secret's",
        wrong_password,
        Code.AUTH_WRONG,
        (STAGING,),
        Reason.AUTHENTICATION_FAILED,
    ),
    Scene(
        "secret-missing",
        "the Secret with the password is not there",
        secret_missing,
        Code.SECRET_UNUSABLE,
        (STAGING,),
        Reason.SECRET_NOT_FOUND,
    ),
    Scene(
        "tls-mismatch",
        "the path is declared with TLS, and Redis speaks none",
        declared(
            "declared tls.enabled: true",
            "Reachable turns False: the handshake gets no handshake back",
            lambda env: {"redis": {**env.redis, "tls": {"enabled": True}}},
        ),
        Code.TLS_MISMATCH,
        (STAGING,),
        Reason.PROBE_FAILED,
    ),
    Scene(
        "dns-failed",
        "the endpoint's name is in no zone",
        declared(
            "declared Redis at redis.nowhere.invalid",
            "Reachable turns False: the name has no address where the prober runs",
            lambda _: {"redis": {"endpoint": {"host": "redis.nowhere.invalid", "port": 6379}}},
        ),
        Code.DNS_FAILED,
        (STAGING,),
        Reason.PROBE_FAILED,
    ),
    Scene(
        "check-failed",
        "Redis is fine, and a service further on is not",
        http_check_fails,
        Code.CHECK_FAILED,
        names=Reason.CHECK_FAILED,
    ),
    Scene(
        "certificate-rejected",
        "nobody here trusts the certificate of Redis",
        certificate_untrusted,
        Code.CERTIFICATE_REJECTED,
        (STAGING,),
        Reason.PROBE_FAILED,
    ),
    Scene(
        "not-redis",
        "what listens on the declared port is no Redis",
        not_redis,
        Code.NOT_REDIS,
        (STAGING,),
        Reason.PROBE_FAILED,
    ),
    Scene(
        "psc-connection-lost",
        "somebody deletes the forwarding rule that leads to a cluster's nodes",
        endpoint_lost,
        Code.PSC_CONNECTION_LOST,
        (PRODUCTION,),
        Reason.REDIS_CONNECTION_LOST,
    ),
)
