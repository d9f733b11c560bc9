"""What conversations leave behind: calls and turns, written to the database in order, off the media loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from agents.session.services import TurnRecord
from media.channel import Channel, ChannelClosed, ChannelFull, WhenFull
from media.speech.protocols import TimedWord
from server.database import (
    CallRecord,
    Database,
    finish_call,
    next_sequence,
    note_end_reason,
    record_call,
    record_turn,
)
from server.database import TurnRecord as StoredTurn
from server.metrics import Metrics
from server.redaction import redact_turn

WAITING = 10_000
"""Records that wait at most while the database does not answer; a turn more is refused and logged."""
RETRY_SECONDS = (0.2, 1.0, 5.0)

COUNTED_REASONS = frozenset(
    {
        "agent",
        "answers failed",
        "call limit",
        "caller silent",
        "cancelled",
        "opted out",
        "recordings played",
        "server stopping",
        "the caller hung up",
        "the connection is gone",
        "voice failed",
    }
)
"""Ends that have a label of their own in the metrics; what a tool or a peer says otherwise is free text."""

log = structlog.get_logger(__name__)

Work = Callable[[Session], None]


@dataclass(slots=True)
class _Call:
    """A conversation and its row in `calls`. `own`: it made the row, and ends it.

    `first`: the sequence number of its first turn; the writer learns it before it writes one.
    """

    id: str
    channel: str
    own: bool
    redact: bool
    first: int = 0
    turns: int = 0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))


class Records:
    """Implements `agents.session.services.Recorder` for all sessions; one writer keeps their order."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._calls: dict[str, _Call] = {}
        self._queue: Channel[Work] = Channel(WAITING, WhenFull.REFUSE)
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write; on the event loop."""
        self._writer = asyncio.get_running_loop().create_task(self._write())

    async def close(self) -> None:
        """Write what waits, then stop."""
        self._queue.close()
        if self._writer is not None:
            await self._writer
            self._writer = None

    def began(
        self,
        session_id: str,
        *,
        agent: str,
        channel: str,
        peer: str,
        record_id: str | None = None,
        redact: bool = False,
    ) -> None:
        """A conversation has begun.

        `record_id`: the row of a telephone call that it is a part of. The row is there, and others begin and end it;
        the turns go on after those that it has. `redact`: card numbers are not kept.
        """
        call = self._calls[session_id] = _Call(record_id or session_id, channel, record_id is None, redact)
        if call.own:
            record = CallRecord(call.id, agent, channel, peer, call.began)
            self._put(lambda session: record_call(session, record))
        else:
            self._put(lambda session: _go_on(session, call))

    def turn(self, session_id: str, record: TurnRecord) -> None:
        """A turn is over."""
        call = self._calls.get(session_id)
        if call is None:
            return
        if call.redact:
            record = redact_turn(record)
        stages = record.timeline.milliseconds()
        number = call.turns
        stored = StoredTurn(
            call_id=call.id,
            sequence=number,
            began=datetime.now(UTC),
            transcript=record.transcript,
            answer=record.answer,
            heard=record.heard,
            stages_ms={name: float(value) for name, value in stages.items()},
            model=record.model,
            prompt_tokens=record.prompt_tokens or None,
            completion_tokens=record.completion_tokens or None,
            interrupted=record.interrupted,
            error=record.error,
            words={"caller": _timed(record.caller_words), "agent": _timed(record.agent_words)},
        )
        call.turns += 1
        if record.transcript:
            outcome = "failed" if record.error else "interrupted" if record.interrupted else "answered"
            self._metrics.turn(outcome, {name: value / 1000 for name, value in stages.items()})
        self._put(lambda session: record_turn(session, replace(stored, sequence=call.first + number)))

    def ended(self, session_id: str, reason: str) -> None:
        """A conversation is over."""
        call = self._calls.pop(session_id, None)
        if call is None:
            return
        self._metrics.call_ended(call.channel, reason if reason in COUNTED_REASONS else "other")
        ended = datetime.now(UTC)
        if call.own:
            self._put(lambda session: finish_call(session, call.id, reason, ended))
        else:
            self._put(lambda session: note_end_reason(session, call.id, reason))

    def _put(self, work: Work) -> None:
        try:
            self._queue.put_nowait(work)
        except (ChannelFull, ChannelClosed) as error:
            log.critical("a record was refused", reason=type(error).__name__)

    async def _write(self) -> None:
        while True:
            try:
                work = await self._queue.get()
            except ChannelClosed:
                return
            await self._write_one(work)

    async def _write_one(self, work: Work) -> None:
        for pause in (*RETRY_SECONDS, None):
            try:
                await self._database.run(work)
            except SQLAlchemyError as error:
                if pause is None:
                    # Without the traceback: SQLAlchemy's message quotes the row, and with it what was said.
                    log.critical("a record could not be written", error=_name(error))
                    return
                await asyncio.sleep(pause)
            else:
                return


def _name(error: Any) -> str:
    return type(getattr(error, "orig", None) or error).__name__


def _go_on(session: Session, call: _Call) -> None:
    """Learn how many turns there are."""
    call.first = next_sequence(session, call.id)


def _timed(words: Sequence[TimedWord]) -> list[list[str | float]]:
    """Words as they are stored: each with its begin and end, to a hundredth of a second."""
    return [[word.text, round(word.start, 2), round(word.end, 2)] for word in words]
