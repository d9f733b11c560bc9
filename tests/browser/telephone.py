"""Calls and campaigns as the server leaves them in the database, for the console to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from media.audio.wav import wav_header
from server.calling import steps
from server.campaigns import store
from server.campaigns.contacts import Contact
from server.campaigns.rules import Retry, Rules, Window
from server.database.tables import Call, CampaignContact, MadeAgent, PhoneCall, Turn
from server.phone.recordings import MEDIA_TYPE, recording_key
from tests.browser.console import Console

AGENT = "agent_anna"
OURS = "+14155550123"
RATE = 8000

SAID = [
    ("", "Good morning, this is Anna, an automated assistant of the dental practice Dr Weber.", None),
    ("Oh, hello. Is it about tomorrow?", "Yes, it is about your appointment tomorrow at half past nine.", None),
    (
        "I can not make it before ten.",
        "That is no problem at all. We have ten fifteen, eleven, or in the afternoon at two.",
        "That is no problem at all. We have ten fifteen,",
    ),
    ("Ten fifteen is fine.", "Then I put you down for ten fifteen. See you tomorrow, and goodbye!", None),
]
"""What each exchange of a call consists of: the other's words, the agent's, and what of them was heard if not all."""


def add_agent(console: Console, **phone: Any) -> str:
    """An agent of the account, called Anna."""
    now = datetime.now(UTC)
    definition = {"system_prompt": "You remind people of their appointments.", "greeting": SAID[0][1], "phone": phone}
    fields: dict[str, Any] = {"definition": definition, "status": "ready", "source": {}, "created": now, "updated": now}
    console.database.run_here(
        lambda session: session.add(MadeAgent(id=AGENT, account_id=console.account, name="Anna", **fields))
    )
    return AGENT


def add_call(
    console: Console,
    peer: str,
    *reports: str,
    age: float = 60,
    direction: str = "outbound",
    seconds: int | None = None,
    error: str | None = None,
    **changed: Any,
) -> str:
    """A telephone call of `age` seconds ago of which the carrier has told these states; returns its id."""
    then = datetime.now(UTC) - timedelta(seconds=age)

    def add(session: Session) -> str:
        call = steps.add(
            session,
            account_id=console.account,
            agent_id=AGENT,
            direction=direction,
            carrier="twilio",
            own_number=OURS,
            peer=peer,
            price=10,
            now=then,
        )
        for status in reports:
            ended = status not in steps.GOING_ON
            now = then + timedelta(seconds=8 + (seconds or 0)) if ended else then + timedelta(seconds=8)
            steps.report(session, call, status, now=now, seconds=seconds if ended else None, error=error)
        for name, value in changed.items():
            setattr(call, name, value)
        return call.call_id

    return console.database.run_here(add)


def say(console: Console, call_id: str, count: int = len(SAID), *, first: int = 0) -> None:
    """Exchanges of a call."""

    def add(session: Session) -> None:
        answered = session.get_one(PhoneCall, call_id).answered
        assert answered is not None
        for number, (caller, agent, heard) in list(enumerate(SAID))[first:count]:
            fields: dict[str, Any] = {"stages_ms": {}, "model": "test"}
            words = {"transcript": caller, "answer": agent, "heard": agent if heard is None else heard}
            began = answered + timedelta(seconds=9 * number + 1)
            session.add(
                Turn(call_id=call_id, sequence=number, began=began, interrupted=heard is not None, **words, **fields)
            )

    console.database.run_here(add)


def report(console: Console, call_id: str, status: str, *, seconds: int | None = None) -> None:
    """The carrier tells of a call."""

    def told(session: Session) -> None:
        call = steps.locked(session, call_id)
        assert call is not None
        steps.report(session, call, status, now=datetime.now(UTC), seconds=seconds)

    console.database.run_here(told)


def record(console: Console, call_id: str, seconds: float = 3) -> None:
    """A recording of a call, in storage: a tone of the other's on the left, one of the agent's on the right."""
    at = np.arange(int(seconds * RATE)) / RATE
    both = np.stack([np.sin(440 * 2 * np.pi * at), np.sin(660 * 2 * np.pi * at)], axis=1)
    file = wav_header(len(at), RATE, 2) + (8000 * both).astype("<i2").tobytes()
    key = recording_key(call_id)
    console.parts.files.put(key, file, media_type=MEDIA_TYPE, account_id=console.account)
    console.database.run_here(lambda s: setattr(s.get_one(PhoneCall, call_id), "recording", key))


def add_browser_call(console: Console, *, age: float = 600) -> str:
    """A call in the browser, which has ended."""
    then = datetime.now(UTC) - timedelta(seconds=age)
    call = Call(
        id="call_browser",
        agent=AGENT,
        channel="browser",
        peer="",
        started=then,
        ended=then + timedelta(seconds=75),
        end_reason="hung up",
    )
    console.database.run_here(lambda session: session.add(call))
    return "call_browser"


def add_campaign(console: Console, name: str, outcomes: dict[str, int], pending: int) -> str:
    """A campaign that runs: so many contacts of each outcome, and those that are still to be called."""
    total = sum(outcomes.values()) + pending
    contacts = [Contact(f"+1415555{1000 + index}", {"name": f"Ann {index}"}) for index in range(total)]
    rules = Rules(Window(days=frozenset(("mon", "tue", "wed", "thu", "fri"))), 2, {"busy": Retry(2, 30)})

    def add(session: Session) -> str:
        made = store.create(
            session,
            console.account,
            name=name,
            agent_id=AGENT,
            rules=rules,
            contacts=contacts,
            now=datetime.now(UTC) - timedelta(hours=1),
        )
        rows = iter(session.scalars(select(CampaignContact).where(CampaignContact.campaign_id == made.id)))
        for outcome, count in outcomes.items():
            for _ in range(count):
                row = next(rows)
                row.status, row.outcome, row.attempts = "done", outcome, 1
        return made.id

    return console.database.run_here(add)


def settle(console: Console, campaign: str, outcome: str, count: int) -> None:
    """So many more contacts of a campaign were called."""

    def change(session: Session) -> None:
        contact = CampaignContact
        query = select(contact.id).where(contact.campaign_id == campaign, contact.status == "pending").limit(count)
        ids = list(session.scalars(query))
        session.execute(update(contact).where(contact.id.in_(ids)).values(status="done", outcome=outcome))

    console.database.run_here(change)
