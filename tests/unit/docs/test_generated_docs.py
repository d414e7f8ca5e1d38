"""What is generated is as it would be generated now."""

from pathlib import Path

import pytest

from redis_connectivity.api.crd import crd_files
from redis_connectivity.cli.settingstable import settings_markdown

ROOT = Path(__file__).resolve().parents[3]


def test_the_settings_page_is_fresh() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_markdown()


@pytest.mark.parametrize("name", crd_files())
def test_the_crd_is_fresh(name: str) -> None:
    assert (ROOT / "crds" / name).read_text(encoding="utf-8") == crd_files()[name]
