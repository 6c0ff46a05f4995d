"""How livemon logs: structlog for its own lines and the libraries' alike, on stderr, for people or as JSON.

Nothing logs request lines: NiceGUI's client id stands in query strings, and it is a secret.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor

_QUIET = (
    *("aiortc", "aioice", "aiosqlite", "alembic", "asyncio", "authlib", "engineio", "httpcore", "httpx"),
    *("multipart", "python_multipart", "redis", "socketio", "sqlalchemy", "watchfiles", "websockets"),
)
"""What they say at debug level is noise, and would show addresses, cookies and what stands in the database."""


def _without_controls(_logger: object, _name: str, event: EventDict) -> EventDict:
    """What others may have written says nothing to the terminal and makes no lines of its own."""
    return {name: _escaped(value) if isinstance(value, str) else value for name, value in event.items()}


def _escaped(text: str) -> str:
    return "".join(one if one.isprintable() or one == "\t" else ascii(one)[1:-1] for one in text)


def configure(level: str = "info", form: Literal["console", "json"] = "console") -> None:
    """Set it up for this process; harmless when repeated."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _without_controls,
    ]
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=0,
                exception_formatter=structlog.dev.plain_traceback,  # the default one shows variables: secrets, words
            )
        ]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(logging.WARNING, root.level))
    logging.getLogger("uvicorn.access").disabled = True
