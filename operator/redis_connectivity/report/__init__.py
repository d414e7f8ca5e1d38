"""A report as Markdown and as one HTML file that needs nothing else."""

from redis_connectivity.report.render import as_html, as_markdown

__all__ = ["as_html", "as_markdown"]
