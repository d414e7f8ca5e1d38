"""docs/diagnosis/: fresh, complete, and every link in it leads somewhere."""

import re
from pathlib import Path

import pytest

from redis_connectivity.api.diagnosis import DiagnosisCode
from redis_connectivity.cli.diagnosispages import pages
from redis_connectivity.core.diagnosis import CATALOGUE
from redis_connectivity_lab.scenes import SCENES

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "diagnosis"


def test_the_pages_are_fresh() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")} == pages()


@pytest.mark.parametrize("code", DiagnosisCode)
def test_each_cause_has_its_page_and_its_scene(code: DiagnosisCode) -> None:
    entry = CATALOGUE[code]
    assert (ROOT / entry.documentation).is_file()
    assert entry.scenes
    assert set(entry.scenes) == {name for name, scene in SCENES.items() if code in scene.codes}


def test_links_lead_somewhere() -> None:
    for path in FOLDER.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_no_template_is_left_open() -> None:
    for name, text in pages().items():
        assert not re.search(r"(?<!\$)\{[a-z_]+\}", text), name
