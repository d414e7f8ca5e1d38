"""Structured logs on standard error: one JSON object a line, or lines for people."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import structlog

from redis_connectivity.settings import LogFormat, LogLevel

if TYPE_CHECKING:
    from structlog.typing import Processor

__all__ = ["configure_logs"]

#: Libraries that tell each request at info level.
_CHATTY = ("kopf", "httpx", "httpx2", "httpcore", "urllib3", "google", "aiohttp.access", "asyncio")


def configure_logs(level: LogLevel, form: LogFormat) -> None:
    """Set up structlog and the standard library's logging, so that both come out alike."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[Processor]
    if form is LogFormat.JSON:
        # Without locals: a password may be among them.
        told = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        renderer = [structlog.processors.ExceptionRenderer(told), structlog.processors.JSONRenderer()]
    else:
        renderer = [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    # That kopf leaves the signals alone in its thread is what we want, and no reason for a warning.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
