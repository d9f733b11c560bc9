"""Logging: one line per event, from our own code and from libraries alike, without secrets and without what people say.

Code logs with `structlog.get_logger()`; `bind_session` and `bind_turn` put ids on every line of the current task.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

SPOKEN = frozenset({"transcript", "text", "heard", "prompt", "answer", "partial", "words", "messages"})
"""Fields that hold what people or agents say: they appear at debug level only."""

_HIDDEN_FIELDS = re.compile(
    r"(authorization|api[-_]?key|api[-_]?secret|auth[-_]?token|password|secret|signature)$", re.I
)
_HIDDEN_TEXT = re.compile(
    r"sk_live_[\w-]+|(?<=Bearer )[\w.~+/=-]{8,}|(?<=Basic )[\w+/=]{8,}|sk-[\w-]{16,}|whsec_[\w-]+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_HIDDEN = "[hidden]"
_NUMBERS = (int, float, type(None))
_PLAIN = (str, *_NUMBERS)
"""What is no mapping: to ask these first is several times quicker than to ask whether something is one."""
_QUIET = dict.fromkeys(("aioice", "aiortc", "alembic", "httpx", "httpx2", "uvicorn.error"), logging.WARNING)
"""Libraries whose chatter begins at a higher level than ours, unless we debug."""


def configure_logs(level: str, form: str, *, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process to `stream` (default: standard error), from `level` on.

    `form` is console or json. `secrets` are values that never appear, wherever they turn up.
    """
    stream = stream if stream is not None else sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        drop_spoken,
        Redactor(secrets),
    ]
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    if form == "console":
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,  # the default shows local variables: secrets, speech
        )
    # What is logged here goes to the stream directly: through `logging` a line costs twice as much, and every request
    # has one.
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=lambda *names: _Writer(stream, *names),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(number, quiet) if number > logging.DEBUG else number)


class _Writer:
    """What structlog hands finished lines to; `name`: of the logger that they come from."""

    _writing = threading.Lock()

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self._stream = stream
        self.name = name

    def write(self, line: str) -> None:
        """Write a line at once. Where nobody reads any more nothing else must fail."""
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = write


def drop_spoken(_logger: Any, method: str, event: EventDict) -> EventDict:
    """Remove what people and agents say from every event above debug level."""
    return event if event.get("level", method) == "debug" else _without_speech(event)


def _without_speech(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, _PLAIN) or not isinstance(value, Mapping) else _without_speech(value)
        for name, value in fields.items()
        if name not in SPOKEN or isinstance(value, int | float)  # how many words is not what was said
    }


class Redactor:
    """Replaces secrets in an event: fields with a telling name, keys and tokens by their form, and known values."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted((re.escape(secret) for secret in secrets if len(secret) >= 6), key=len, reverse=True)
        self._known = re.compile("|".join(known)) if known else None

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """structlog's processor: the event with its secrets replaced."""
        return {name: self._field(name, value) for name, value in event.items()}

    def _field(self, name: str, value: Any) -> Any:
        if isinstance(value, _NUMBERS):
            return value
        if value and isinstance(value, str | bytes) and _is_hidden(name):
            return _HIDDEN
        return self._clean(value)

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            value = _HIDDEN_TEXT.sub(_HIDDEN, value)
            return self._known.sub(_HIDDEN, value) if self._known else value
        if isinstance(value, bytes):
            return self._clean(value.decode("utf-8", "replace"))
        if isinstance(value, Mapping):
            return {key: self._field(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item) for item in value]
        if isinstance(value, BaseException):
            return self._clean(f"{type(value).__name__}: {value}")
        return value


@lru_cache(maxsize=1024)
def _is_hidden(name: str) -> bool:
    """Whether a field of this name holds a secret; the names are few and come again with every line."""
    return _HIDDEN_FIELDS.search(name) is not None


def bind_session(session: str, **fields: str) -> None:
    """Put the session's id on every line that this task, and the tasks it starts, log from now on."""
    structlog.contextvars.bind_contextvars(session=session, **fields)


def bind_turn(turn: int | str) -> None:
    """Put the turn's id on every line that this task, and the tasks it starts, log from now on."""
    structlog.contextvars.bind_contextvars(turn=turn)


def context() -> Mapping[str, Any]:
    """What is bound on the current task."""
    return structlog.contextvars.get_contextvars()
