"""What reaches the log: one line per event, no secrets, nothing that was said."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from server.logs import Redactor, bind_session, bind_turn, configure_logs

TOKEN = "twilio-auth-token-1"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; afterwards everything is as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_the_ids_of_its_session_and_turn(stream: io.StringIO) -> None:
    configure_logs("info", "json", stream=stream)
    bind_session("s1")
    bind_turn(4)
    structlog.get_logger("agents.session").info("turn done", first_sound_ms=310)
    [line] = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "turn done",
        "level": "info",
        "logger": "agents.session",
        "session": "s1",
        "turn": 4,
        "first_sound_ms": 310,
    }


def test_libraries_log_in_the_same_form_and_without_secrets(stream: io.StringIO) -> None:
    configure_logs("info", "json", secrets=[TOKEN], stream=stream)
    logging.getLogger("sqlalchemy").warning("cannot reach %s", f"postgresql://u:hunter2@db/x?token={TOKEN}")
    [line] = lines(stream)
    assert line["event"] == "cannot reach postgresql://[hidden]@db/x?token=[hidden]"
    assert line["logger"] == "sqlalchemy"


def test_what_was_said_appears_at_debug_level_only(stream: io.StringIO) -> None:
    configure_logs("debug", "json", stream=stream)
    log = structlog.get_logger("x")
    said = {
        "transcript": "my name is Ada",
        "heard": "hello",
        "text": "hi",
        "prompt": "you are",
        "turn": {"answer": "yes"},
    }
    log.info("turn", words=4, **said)
    log.warning("turn", **said)
    log.debug("turn", **said)
    info, warning, debug = lines(stream)
    assert info["words"] == 4
    for line in (info, warning):
        assert not {"transcript", "heard", "text", "prompt"} & line.keys()
        assert line["turn"] == {}
    assert debug["transcript"] == "my name is Ada"
    assert debug["turn"] == {"answer": "yes"}


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": "abcdef"},
        {"Authorization": "Bearer abcdef"},
        {"headers": {"authorization": "x", "X-Api-Key": "y", "api-secret": "z"}},
        {"auth_token": b"abc"},
        {"note": "key sk_live_abcdefghijklmnop used"},
        {"note": "Authorization: Bearer abcdefghijkl"},
        {"note": ["nested", {"deep": f"{TOKEN}!"}]},
        {"error": ValueError(f"bad token {TOKEN}")},
        {"signed": "whsec_abcdef"},
    ],
)
def test_secrets_are_hidden_wherever_they_stand(stream: io.StringIO, fields: dict[str, Any]) -> None:
    configure_logs("info", "json", secrets=[TOKEN], stream=stream)
    structlog.get_logger("x").info("request", **fields)
    text = stream.getvalue()
    assert "[hidden]" in text
    for secret in ("abcdef", TOKEN, '"x"', '"y"', '"z"'):
        assert secret not in text.replace('"logger": "x"', "")


def test_a_traceback_is_part_of_its_line_and_is_cleaned_too(stream: io.StringIO) -> None:
    configure_logs("info", "json", secrets=[TOKEN], stream=stream)
    try:
        raise RuntimeError(f"refused {TOKEN}")
    except RuntimeError:
        structlog.get_logger("x").exception("call failed")
    [line] = lines(stream)
    assert line["exception"].endswith("RuntimeError: refused [hidden]")


def test_events_below_the_level_are_not_logged(stream: io.StringIO) -> None:
    configure_logs("warning", "json", stream=stream)
    structlog.get_logger("x").info("unimportant")
    logging.getLogger("uvicorn.error").info("Started")
    assert stream.getvalue() == ""


def test_a_log_that_nobody_reads_any_more_stops_nothing(stream: io.StringIO) -> None:
    read, write = os.pipe()
    os.close(read)
    gone = os.fdopen(write, "w")
    for closed in (False, True):
        configure_logs("info", "json", stream=gone)
        structlog.get_logger("x").warning("still here", closed=closed)
        with contextlib.suppress(BrokenPipeError):
            gone.close()


def test_every_level_is_written_under_its_name(stream: io.StringIO) -> None:
    configure_logs("debug", "json", stream=stream)
    log = structlog.get_logger("x")
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)("at %s", level)
    assert [(line["level"], line["event"]) for line in lines(stream)] == [
        (level, f"at {level}") for level in ("debug", "info", "warning", "error", "critical")
    ]


def test_the_console_form_is_readable(stream: io.StringIO) -> None:
    configure_logs("info", "console", stream=stream)
    structlog.get_logger("x").info("ready", seconds=1.5)
    assert "ready" in stream.getvalue()
    assert "seconds=1.5" in stream.getvalue()


@given(
    st.recursive(
        st.text() | st.integers() | st.none() | st.binary(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
        max_leaves=8,
    )
)
def test_a_secret_put_anywhere_never_comes_out(value: Any) -> None:
    cleaned = Redactor([TOKEN])(None, "info", {"a": value, "b": [value, TOKEN], "c": {"d": f"x{TOKEN}x"}})
    assert TOKEN not in repr(cleaned)
