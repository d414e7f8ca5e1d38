"""Scenes' metrics as a test for promtool: held as they were, which alerts does Prometheus raise, and in which words."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from redis_connectivity_lab.expected import Alert
from redis_connectivity_lab.sceneplay import Played
from redis_connectivity_lab.surfaces import Look, series_of
from support.prometheus import rules

__all__ = ["rule_test"]

_INSTANCE = "operator"
#: Long enough for each alert on a path, and too short for the one that no probe got an answer, which needs 20 minutes:
#: a time of the last success that is held as it was grows old by itself, and says nothing about the scene.
_AFTER = "16m"
_STEPS = 20
#: Seconds since the epoch: promtool's clock begins at 0, so they are told as seconds before the look.
_TIMES = "_timestamp_seconds"
#: The words about a cause, which Prometheus asks for by a query of its own.
_CAUSE = re.compile(r"\{\{\s*with printf.*?\{\{\s*end\s*\}\}", re.DOTALL)


def rule_test(played: Sequence[Played]) -> str:
    """A test file for `promtool test rules`, with one test for each scene."""
    shipped = {one["alert"]: one for group in yaml.safe_load(rules())["groups"] for one in group["rules"]}
    tests = [
        {
            "name": f"{one.scene.name} ({one.env.word})",
            "interval": "1m",
            "input_series": list(_held(one.look)),
            "alert_rule_test": [_expected(shipped[alert], one, fires=alert in one.scene.alerts) for alert in Alert],
        }
        for one in played
    ]
    return yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}, width=10_000)


def _held(look: Look) -> list[dict[str, str]]:
    """The path's series and those of the operator itself; whatever other paths had is left out."""
    mine = (look.namespace, look.name)
    found = []
    for (name, pairs), value in series_of(look.metrics).items():
        labels = dict(pairs)
        if "name" in labels and (labels["namespace"], labels["name"]) != mine:
            continue
        told = ",".join(f"{key}={json.dumps(word)}" for key, word in {"instance": _INSTANCE, **labels}.items())
        held = value - look.at if name.endswith(_TIMES) else value
        found.append({"series": f"{name}{{{told}}}", "values": f"{held!r}x{_STEPS}"})
    return found


def _expected(rule: Mapping[str, Any], played: Played, *, fires: bool) -> dict[str, Any]:
    look = played.look
    said: dict[str, Any] = {"eval_time": _AFTER, "alertname": rule["alert"]}
    if fires:
        words = {name: _filled(text, look) for name, text in rule["annotations"].items()}
        labels = {**rule["labels"], "namespace": look.namespace, "name": look.name}
        said["exp_alerts"] = [{"exp_labels": labels, "exp_annotations": words}]
    return said


def _filled(text: str, look: Look) -> str:
    """An annotation as it reads for a look: with its names, and with the cause that the status gives."""
    text = _CAUSE.sub(lambda _: f" First cause: {look.code}.", text)
    return re.sub(r"\{\{\s*\$labels\.(\w+)\s*\}\}", lambda found: str(getattr(look, found.group(1))), text)
