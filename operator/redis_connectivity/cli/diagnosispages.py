"""`redis-connectivity diagnosis-pages FOLDER`: docs/diagnosis/, from the catalogue, which is the texts' one home."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from redis_connectivity.cli.errors import fail
from redis_connectivity.core.diagnosis.catalogue import CATALOGUE, GROUPS
from redis_connectivity.core.diagnosis.entry import Entry, fill, placeholders

__all__ = ["diagnosis_pages", "pages"]

_MADE: Final = "This page is made by `redis-connectivity diagnosis-pages docs/diagnosis`."
_INDEX: Final = f"""# What can be wrong with a path

`status.diagnosis` names the first cause of a path that is not Ready; `redis-connectivity diagnose NAME` shows it, with
the path hop by hop. Causes are looked for in the path's order: what is seen to be wrong on the way, then what Redis
itself answered (which proves the way), then what kept the operator from looking or acting, and last that packets are
lost and nothing explains it. The first one found is told. It stands until the path is Ready again, or another one is
found.

Each can be played in the lab: `redis-connectivity lab demo --scene NAME`, or `lab break NAME` in one that runs.
{_MADE}
"""

#: Facts that are whole phrases, in the words of documentation.
_WORDS: Final = {
    "kind": "instance",
    "entry": "the connector",
    "deny": "a rule or policy",
    "direction": "ingress/egress",
}


def pages() -> dict[str, str]:
    """Text by file name."""
    made = {f"{entry.code.value}.md": _page(entry) for entry in CATALOGUE.values()}
    parts = [_INDEX]
    for group, entries in GROUPS.items():
        parts.append(f"\n## {group}\n\n| code | meaning | scene |\n| --- | --- | --- |\n")
        for entry in entries:
            scenes = ", ".join(f"`{one}`" for one in entry.scenes)
            parts.append(f"| [{entry.code.value}]({entry.code.value}.md) | {_plain(entry.summary)} | {scenes} |\n")
    return {"README.md": "".join(parts), **made}


def _page(entry: Entry) -> str:
    heals = f"\nBy itself the operator {entry.heals}.\n" if entry.heals else ""
    commands = "\n".join(_plain(one) for one in entry.commands)
    scenes = "".join(f"redis-connectivity lab demo --scene {one}\n" for one in entry.scenes)
    played = f"\n## See it happen\n\n```sh\n{scenes}```\n" if entry.scenes else ""
    return (
        f"# {entry.code.value}\n\n{_plain(entry.summary)}\n\n## How the operator knows\n\n{entry.knows}\n\n"
        f"## What to do\n\n{_plain(entry.remedy)}\n{heals}\n```sh\n{commands}\n```\n{played}\n"
        f"[All causes](README.md). {_MADE}\n"
    )


def _plain(template: str) -> str:
    """The template with the names of its facts in capitals, as manuals write them."""
    text = fill(template, {name: _WORDS.get(name, name.upper()) for name in placeholders(template)})
    return f"{text[:1].upper()}{text[1:]}" if template.startswith("{") else text


def diagnosis_pages(
    folder: Annotated[Path, typer.Argument(help="Where to write the pages; pages of codes that are no more go.")],
) -> None:
    """Write the pages about causes, from the catalogue."""
    made = pages()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("*.md"):
            if stale.name not in made and re.fullmatch(r"[A-Za-z]+\.md", stale.name):
                stale.unlink()
        for name, text in made.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {error.filename}: {error.strerror}")
