"""Puts a report into its templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from redis_connectivity.core.reporting import Report

__all__ = ["as_html", "as_markdown", "spark"]

#: The latency plot's size in SVG units.
WIDTH: Final = 640
HEIGHT: Final = 120
_MARGIN: Final = 6


def _environment(*, html: bool) -> Environment:
    return Environment(
        loader=PackageLoader("redis_connectivity.report"),
        autoescape=html,  # noqa: S701 - Markdown is no HTML; what it holds is put into a cell or a code block
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def as_markdown(report: Report) -> str:
    """The report as Markdown."""
    environment = _environment(html=False)
    environment.filters["cell"] = _cell
    return environment.get_template("report.md.j2").render(report=report, declared=_yaml(report))


def as_html(report: Report) -> str:
    """The report as one HTML file, plots included."""
    plot = spark(report.samples) if report.samples is not None else None
    template = _environment(html=True).get_template("report.html.j2")
    return template.render(report=report, declared=_yaml(report), plot=plot, width=WIDTH, height=HEIGHT)


def _yaml(report: Report) -> str:
    return yaml.safe_dump(dict(report.declared), sort_keys=False, allow_unicode=True, width=110)


def _cell(text: object) -> str:
    """Text for a Markdown table's cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def spark(samples: Sequence[tuple[float, float | None]]) -> dict[str, list[object]] | None:
    """Points of the latency plot and places of failures, in SVG units; None with fewer than two probes."""
    if len(samples) < 2:
        return None
    first, last = samples[0][0], samples[-1][0]
    most = max((ms for _, ms in samples if ms is not None), default=0.0) or 1.0
    runs: list[list[str]] = [[]]
    failures: list[object] = []
    for at, ms in samples:
        x = round(_MARGIN + (at - first) / ((last - first) or 1.0) * (WIDTH - 2 * _MARGIN), 1)
        if ms is None:
            failures.append(x)
            runs.append([])
        else:
            runs[-1].append(f"{x},{round(HEIGHT - _MARGIN - ms / most * (HEIGHT - 2 * _MARGIN), 1)}")
    return {"lines": [" ".join(run * 2 if len(run) == 1 else run) for run in runs if run], "failures": failures}
