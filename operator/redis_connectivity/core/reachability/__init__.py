"""The reachability analyser: from a connector's range (or a revision's subnet) to Redis, hop by hop.

`Firewall(rules, policies, …).judge(direction, flow)` answers Allowed, Denied or Unknown for one direction, with the
rule that decides or what is missing to tell. `analyse(question)` walks the whole path: egress, route, ingress.
`blocked_control_traffic(site, firewall)` finds what cuts a connector off from Google's own infrastructure.
"""

from redis_connectivity.core.reachability.connector_rules import (
    GOOGLE_RULE_PREFIX,
    BlockedControl,
    ConnectorSite,
    blocked_control_traffic,
    google_rules_for,
    service_project_rules,
    with_google_rules,
)
from redis_connectivity.core.reachability.firewall import Firewall, Policies
from redis_connectivity.core.reachability.path import Hop, HopName, PathAnswer, Question, analyse, describe
from redis_connectivity.core.reachability.routes import (
    DirectPeering,
    PrivateServiceAccess,
    PrivateServiceConnect,
    PscConnection,
    Route,
    SubnetRoute,
)
from redis_connectivity.core.reachability.rulebook import candidates
from redis_connectivity.core.reachability.values import (
    Answer,
    Decider,
    DeciderKind,
    Doubt,
    DoubtKind,
    Flow,
    Judgement,
    Part,
    Receiver,
    Sender,
    Side,
    Unread,
)

__all__ = [
    "GOOGLE_RULE_PREFIX",
    "Answer",
    "BlockedControl",
    "ConnectorSite",
    "Decider",
    "DeciderKind",
    "DirectPeering",
    "Doubt",
    "DoubtKind",
    "Firewall",
    "Flow",
    "Hop",
    "HopName",
    "Judgement",
    "Part",
    "PathAnswer",
    "Policies",
    "PrivateServiceAccess",
    "PrivateServiceConnect",
    "PscConnection",
    "Question",
    "Receiver",
    "Route",
    "Sender",
    "Side",
    "SubnetRoute",
    "Unread",
    "analyse",
    "blocked_control_traffic",
    "candidates",
    "describe",
    "google_rules_for",
    "service_project_rules",
    "with_google_rules",
]
