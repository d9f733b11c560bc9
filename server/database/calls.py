"""Records of calls and their turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from server.database.tables import Call, Turn

LINE_ENDED: Final = "completed"
"""The reason of a telephone call's end while nothing is known but that its carrier has ended it."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A conversation as it begins. `channel` is the link's kind; `peer` a number or address."""

    id: str
    agent: str
    channel: str
    peer: str
    started: datetime


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One exchange. `sequence` counts from 0 within the call; `stages_ms` holds each stage's time in milliseconds.

    `words`: see `server.database.tables.Turn`.
    """

    call_id: str
    sequence: int
    began: datetime
    transcript: str
    answer: str
    heard: str
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    model: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    interrupted: bool = False
    error: str | None = None
    words: Mapping[str, Any] | None = None


def record_call(session: Session, call: CallRecord) -> None:
    """Note that a call has begun."""
    session.add(Call(id=call.id, agent=call.agent, channel=call.channel, peer=call.peer[:200], started=call.started))


def record_turn(session: Session, turn: TurnRecord) -> None:
    """Note a turn of a call that has begun."""
    session.add(
        Turn(
            call_id=turn.call_id,
            sequence=turn.sequence,
            began=turn.began,
            transcript=turn.transcript,
            answer=turn.answer,
            heard=turn.heard,
            stages_ms=dict(turn.stages_ms),
            model=turn.model[:200],
            prompt_tokens=turn.prompt_tokens,
            completion_tokens=turn.completion_tokens,
            interrupted=turn.interrupted,
            error=turn.error,
            words=None if turn.words is None else dict(turn.words),
        )
    )


def finish_call(session: Session, call_id: str, reason: str, ended: datetime | None = None) -> None:
    """Note that a call is over; the first end counts, later ones change nothing.

    But that the line has ended is no reason: the conversation may still say its own.
    """
    session.execute(
        update(Call)
        .where(Call.id == call_id, or_(Call.ended.is_(None), Call.end_reason == LINE_ENDED))
        .values(ended=func.coalesce(Call.ended, ended or datetime.now(UTC)), end_reason=reason[:100])
    )


def next_sequence(session: Session, call_id: str) -> int:
    """The sequence number of a call's next turn."""
    last = session.scalar(select(func.max(Turn.sequence)).where(Turn.call_id == call_id))
    return 0 if last is None else last + 1


def note_end_reason(session: Session, call_id: str, reason: str) -> None:
    """Note why a conversation of a telephone call ended, if nothing is noted yet but the line's end.

    The call itself may go on: when it has ended others say.
    """
    session.execute(
        update(Call)
        .where(Call.id == call_id, or_(Call.end_reason.is_(None), Call.end_reason.in_(("", LINE_ENDED))))
        .values(end_reason=reason[:100])
    )
