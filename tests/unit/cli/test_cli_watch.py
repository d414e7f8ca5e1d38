"""What `watch` shows, in a terminal of any width."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from redis_connectivity.cli.watch import shown
from redis_connectivity.kube.watching import Followed

WORDS = "rule [no-way-out] denies tcp:6379 on its way out of the connector's network"


def resource(name: str, ready: str) -> dict[str, Any]:
    broken = ready == "False"
    conditions = [
        ("Ready", ready, "EgressDenied" if broken else "PathProven"),
        ("FirewallReady", ready, "EgressDenied" if broken else "FirewallOpen"),
    ]
    status: dict[str, Any] = {
        "conditions": [
            {"type": kind, "status": state, "reason": reason, "message": "m", "lastTransitionTime": "t"}
            for kind, state, reason in conditions
        ],
        "redis": {"host": "10.128.0.5", "port": 6379},
    }
    if broken:
        status["diagnosis"] = {"code": "EgressDenied", "summary": WORDS, "remedy": "Ask its owner."}
    return {
        "metadata": {"namespace": "staging", "name": name},
        "spec": {"environment": "staging", "projectId": "acme", "region": "us-central1"},
        "status": status,
    }


def text(followed: Followed, width: int) -> str:
    file = StringIO()
    Console(file=file, width=width, highlight=False).print(shown(followed, width))
    return file.getvalue()


@pytest.mark.parametrize("width", [72, 80, 120, 160, 240])
def test_what_is_the_matter_can_be_read_at_any_width(width: int) -> None:
    lines = text(Followed((resource("good", "True"), resource("chat", "False"))), width).splitlines()
    assert max(map(len, lines)) <= width
    said = " ".join(line.strip(" │┃") for line in lines)
    assert "Paths: 1 ok, 1 broken" in said
    assert "✗ staging/chat" in said
    assert all(word in said for word in ("EgressDenied:", "[no-way-out]", "connector's", "owner."))
    assert len(lines) <= 16, "nothing is folded into a column of single letters"
    # What is broken comes first.
    assert said.index("staging/chat") < said.index("staging/good")


def test_that_it_may_be_old_is_told() -> None:
    assert "old: the API server [x] does not answer" in text(Followed((), "the API server [x] does not answer"), 80)


def test_it_tells_that_probes_are_held_back() -> None:
    broken = resource("chat", "False")
    for state, held in (("Closed", False), ("Open", True), ("HalfOpen", True)):
        broken["status"]["probe"] = {"circuit": {"state": state}}
        said = " ".join(text(Followed((broken,)), 240).split())
        assert (f"circuit {state}: asked" in said) is held
