"""What the processes of one machine say: a line of JSON for each event, on standard error.

Structlog, the standard library's logging and what nobody caught all end here,
in the shape of the signer's lines: time (Unix milliseconds), component, event,
then the facts.  A stack trace is the fact ``exception``.
"""

import json
import logging
import sys
import threading
import time
from collections.abc import MutableMapping
from functools import partial
from types import TracebackType
from typing import Any

import structlog


def configure(component: str) -> None:
    """Have everything this process says told as *component*, from level INFO on."""
    about: list[structlog.types.Processor] = [
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*about, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=about,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                partial(_rendered, component),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for chatty in ("alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def start_failed(error: Exception) -> None:
    """Tell why this process does not start; the stack trace would say nothing more."""
    about = {name: getattr(error, name, None) for name in ("rule", "remedy")}
    facts = {name: value for name, value in about.items() if value is not None}
    logging.getLogger("chancery").error("start-failed", extra={"error": str(error)} | facts)


def _rendered(component: str, _: object, __: str, facts: MutableMapping[str, Any]) -> str:
    head = {"time": int(time.time() * 1000), "component": component, "event": str(facts["event"])}
    return json.dumps(head | {**facts, **head}, default=repr)  # in this order, and not overridden


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("chancery").critical("crashed", exc_info=(kind, error, trace))


def _uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    thread = found.thread.name if found.thread is not None else "?"
    error = found.exc_value or found.exc_type()
    logging.getLogger("chancery").critical(
        "thread %s crashed", thread, exc_info=(found.exc_type, error, found.exc_traceback)
    )
