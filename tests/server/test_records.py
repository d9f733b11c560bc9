"""What conversations leave behind, on a real SQLite file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from agents.session.services import TurnRecord
from media.speech.protocols import TimedWord
from server.database import CallRecord, Database, finish_call, record_call
from server.database.calls import LINE_ENDED
from server.database.tables import Call, Turn
from server.metrics import Metrics
from server.records import Records

BEGAN = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
CARD = "4242 4242 4242 4242"


def said(transcript: str, answer: str = "Gladly.") -> TurnRecord:
    """A turn that was heard to its end."""
    record = TurnRecord(1, transcript, answer, answer)
    record.caller_words = tuple(TimedWord(word, 1.0, 1.239) for word in transcript.split())
    record.agent_words = tuple(TimedWord(word, 2.0, 2.5) for word in answer.split())
    return record


async def kept(database: Database, *sessions: tuple[str, dict[str, Any], list[TurnRecord], str | None]) -> None:
    """Conversations one after the other: id, how each began, its turns, why it ended (None: it goes on)."""
    records = Records(database, Metrics())
    records.start()
    for session_id, options, turns, reason in sessions:
        records.began(session_id, agent="demo", channel="phone", peer="+15550100", **options)
        for turn in turns:
            records.turn(session_id, turn)
        if reason is not None:
            records.ended(session_id, reason)
    await records.close()


def rows(database: Database, call_id: str) -> tuple[Call, list[Turn]]:
    """A call and its turns in order."""
    with Session(database.engine) as session:
        turns = session.scalars(select(Turn).where(Turn.call_id == call_id).order_by(Turn.sequence)).all()
        return session.get_one(Call, call_id), list(turns)


async def test_a_conversation_makes_a_row_of_its_own_and_ends_it(database: Database) -> None:
    await kept(database, ("s1", {}, [said("Hello"), said("A table, please.")], "the caller hung up"))
    call, turns = rows(database, "s1")
    assert (call.agent, call.channel, call.peer, call.end_reason) == (
        "demo",
        "phone",
        "+15550100",
        "the caller hung up",
    )
    assert call.ended is not None
    assert [(turn.sequence, turn.transcript) for turn in turns] == [(0, "Hello"), (1, "A table, please.")]
    assert turns[0].words == {"caller": [["Hello", 1.0, 1.24]], "agent": [["Gladly.", 2.0, 2.5]]}


async def test_conversations_of_one_telephone_call_go_on_in_its_row(database: Database) -> None:
    await database.run(record_call, CallRecord("call_1", "demo", "phone", "+15550100", BEGAN))
    of = {"record_id": "call_1"}
    await kept(database, ("s1", of, [said("One"), said("Two")], "transfer to +390612345678"), ("s2", of, [], None))
    await kept(database, ("s3", of, [said("Three")], "agent"))
    call, turns = rows(database, "call_1")
    assert [(turn.sequence, turn.transcript) for turn in turns] == [(0, "One"), (1, "Two"), (2, "Three")]
    assert call.end_reason == "transfer to +390612345678"
    assert call.ended is None  # the books say when
    with Session(database.engine) as session:
        assert session.scalars(select(Call.id)).all() == ["call_1"]


@pytest.mark.parametrize(("noted", "kept_reason"), [("hung up by us", "hung up by us"), (LINE_ENDED, "agent")])
async def test_the_reason_that_the_books_noted_stays_unless_it_says_nothing(
    database: Database, noted: str, kept_reason: str
) -> None:
    await database.run(record_call, CallRecord("call_1", "demo", "phone", "+15550100", BEGAN))
    await database.run(finish_call, "call_1", noted, BEGAN)
    await kept(database, ("s1", {"record_id": "call_1"}, [said("One")], "agent"))
    call, _turns = rows(database, "call_1")
    assert (call.end_reason, call.ended) == (kept_reason, BEGAN)


@pytest.mark.parametrize("redact", [True, False])
async def test_card_numbers_are_kept_only_where_they_may_be(database: Database, redact: bool) -> None:
    await kept(database, ("s1", {"redact": redact}, [said(CARD, f"{CARD}, right?")], "agent"))
    _call, (turn,) = rows(database, "s1")
    assert ("4242" in f"{turn.transcript}{turn.answer}{turn.heard}{turn.words}") is not redact
    if redact:
        assert (turn.transcript, turn.answer) == ("[card number]", "[card number], right?")


async def test_a_turn_of_no_conversation_is_not_kept(database: Database) -> None:
    records = Records(database, Metrics())
    records.start()
    records.turn("nobody", said("Hello"))
    records.ended("nobody", "agent")
    await records.close()
    with Session(database.engine) as session:
        assert session.scalars(select(Turn)).all() == []
