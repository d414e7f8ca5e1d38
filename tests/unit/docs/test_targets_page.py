"""The page on targets names tests that exist, and each kind of target has a sample that is valid."""

import re
from pathlib import Path

import pytest
import yaml

from redis_connectivity.api.spec import RedisConnectivitySpec
from redis_connectivity.api.spec_redis import TARGET_KINDS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "targets.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
SAMPLES = [
    body
    for path in sorted((ROOT / "manifests" / "samples").glob("*.yaml"))
    for body in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    if body["kind"] == "RedisConnectivity"
]


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_what_is_named_as_proof_exists(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_mark_of_the_table_is_explained() -> None:
    explained = set(re.findall(r"^- \[([\w ]+)\]: ", PAGE, re.MULTILINE))
    used = {
        mark for row in PAGE.splitlines() if row.startswith("| ") for mark in re.findall(r"\[([\w ]+)\](?!\()", row)
    }
    assert used == explained
    assert len(NAMED) == len(explained)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["metadata"]["name"])
def test_samples_are_valid(sample: dict) -> None:
    RedisConnectivitySpec.model_validate(sample["spec"])


@pytest.mark.parametrize("kind", TARGET_KINDS)
def test_every_kind_of_target_has_a_sample(kind: str) -> None:
    assert [sample["metadata"]["name"] for sample in SAMPLES if kind in sample["spec"]["redis"]]
