"""What is generated is as it would be generated now."""

from pathlib import Path

from redis_connectivity.api.crd import crd_yaml
from redis_connectivity.cli.settingstable import settings_markdown

ROOT = Path(__file__).resolve().parents[3]


def test_the_settings_page_is_fresh() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_markdown()


def test_the_crd_is_fresh() -> None:
    crd = ROOT / "crds" / "redisconnectivities.redisconnectivity.io.yaml"
    assert crd.read_text(encoding="utf-8") == crd_yaml()
