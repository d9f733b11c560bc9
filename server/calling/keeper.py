"""What goes on beside the calls: minutes are reserved as they begin, calls nobody tells of are looked up, recordings
are deleted when their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

import structlog
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from server.calling.books import Advance, Books, advance
from server.calling.dialler import Dialler
from server.database import Database, DatabaseError
from server.database.tables import PhoneCall
from server.phone.book import Outcome
from server.settings.phone import TelephonySettings
from telephony.errors import TelephonyError
from telephony.progress import CallState

TICK_S: Final = 1.0
PAGE: Final = 200
MOST_ASKED: Final = 8
"""Questions to the carrier at once; the others wait for the next tick."""
BACKOFF_S: Final = (5.0, 10.0, 20.0, 40.0, 60.0)
ELSEWHERE: Final = timedelta(seconds=3)
"""The process that has a call's stream is given so long to reserve its next minute before others look."""
FORSAKEN: Final = timedelta(minutes=2)
"""A call whose carrier cannot be asked is over when nobody has had its stream for so long."""
UNSTARTED: Final = timedelta(seconds=5)
STALE: Final = timedelta(minutes=2)
"""A call that a crash kept from being placed is placed after all, unless its order is older than this."""
UNHEARD: Final = timedelta(seconds=60)
"""The carrier has told the id of a call by then, or never will."""
RINGS_ON: Final = timedelta(seconds=30)
SWEEP_S: Final = 600.0

OUT_OF_CREDIT: Final = "I am sorry, the credit for this call is used up. Goodbye."

log = structlog.get_logger(__name__)


class Live(Protocol):
    """The calls whose streams are in this process. `server.phone.live.LiveCalls` implements it."""

    def ids(self) -> set[str]:
        """Which."""
        ...

    def finish(self, call_id: str, text: str, reason: str) -> bool:
        """Have the agent say this and hang up; False: its stream is not here."""
        ...


class Files(Protocol):
    """Stored files. `server.storage.Storage` implements it."""

    def delete(self, key: str, account_id: str | None = None) -> None:
        """Remove a file; one that is not there is no error. Blocks."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """A call that something is due for."""

    call_id: str
    carrier: str
    state: str
    sid: str | None
    created: datetime
    asked: datetime | None
    answered: datetime | None
    next_minute: datetime | None
    outcome: str | None


class Keeper:
    """Ticks from `start` to `close`. Any number of processes may keep one database's calls."""

    def __init__(
        self,
        settings: TelephonySettings,
        database: Database,
        books: Books,
        dialler: Dialler,
        live: Live,
        *,
        files: Files | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._database = database
        self._books = books
        self._dialler = dialler
        self._live = live
        self._files = files
        self._now = now
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, tuple[int, datetime]] = {}
        self._swept: datetime | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; on the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Stop. A second call does nothing."""
        tasks = [task for task in (self._task, *self._asking.values()) if task is not None]
        self._task = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def tick(self) -> None:
        """Do what is due now; questions to the carrier go on in tasks."""
        now = self._now()
        minutes = await self._database.read(_due, now)
        silent = await self._database.read(_silent, now, timedelta(seconds=self._settings.ring_s) + RINGS_ON)
        about = {call.call_id for call in (*minutes, *silent)}
        self._failures = {call_id: found for call_id, found in self._failures.items() if call_id in about}
        here = self._live.ids()
        for call in minutes:
            if call.call_id in here:
                await self._advance(call.call_id)
            elif call.next_minute is not None and call.next_minute <= now - ELSEWHERE:
                self._ask(call.call_id, partial(self._minute_elsewhere, call))
        for call in silent:
            self._ask(call.call_id, partial(self._unheard_of, call))
        if self._swept is None or (now - self._swept).total_seconds() >= SWEEP_S:
            self._swept = now
            await self._sweep(now)

    async def settled(self) -> None:
        """Wait until no question to the carrier is open."""
        while self._asking:
            await asyncio.wait(list(self._asking.values()))

    async def _keep(self) -> None:
        while True:
            try:
                await self.tick()
            except (SQLAlchemyError, DatabaseError, OSError) as error:
                log.warning("calls could not be kept", reason=type(error).__name__)
            await asyncio.sleep(TICK_S)

    # Minutes

    async def _advance(self, call_id: str) -> None:
        """Reserve the minute that has begun, or end the call that cannot pay it."""
        paid = await self._database.run(advance, call_id, self._now())
        if paid is Advance.PAID:
            return
        log.warning("a call is out of credit", call=call_id)
        if paid is Advance.UNPAID and self._live.finish(call_id, OUT_OF_CREDIT, "out of credit"):
            return
        self._ask(call_id, partial(self._hang_up, call_id))

    async def _minute_elsewhere(self, call: _Seen) -> None:
        """The next minute of a call whose stream is not here: is it still going on?"""
        now = self._now()
        if self._dialler.can_ask(call.carrier):
            await self._dialler.look_up(call.call_id)
            await self._advance_unseen(call.call_id)
        elif call.outcome == Outcome.TRANSFERRED:
            if call.answered is not None and now - call.answered > timedelta(seconds=self._settings.longest_s):
                await self._books.lost(call.call_id, "It is not known how the call ended")
            else:
                await self._advance_unseen(call.call_id)
        elif call.next_minute is not None and call.next_minute <= now - FORSAKEN:
            await self._books.lost(call.call_id, "The call was cut off")

    async def _advance_unseen(self, call_id: str) -> None:
        if await self._database.run(advance, call_id, self._now()) is not Advance.PAID:
            await self._hang_up(call_id)

    async def _hang_up(self, call_id: str) -> None:
        try:
            await self._dialler.hang_up(call_id)
        except TelephonyError:
            self._live.finish(call_id, "", "out of credit")
            raise

    # Silence

    async def _unheard_of(self, call: _Seen) -> None:
        """A call that has not been answered and of which nothing was heard for too long."""
        now = self._now()
        longest = timedelta(seconds=self._settings.longest_s + self._settings.ring_s) + FORSAKEN
        if call.asked is None and call.sid is None:
            if now - call.created < STALE:
                self._dialler.begin(call.call_id)
            elif call.call_id not in self._dialler.starting:
                await self._books.fail(call.call_id, "The call could not be placed in time")
        elif now - call.created > longest:
            await self._books.lost(call.call_id, "It is not known what became of the call")
        elif call.sid is None:
            await self._dialler.find_placed(call.call_id)
        else:
            await self._dialler.look_up(call.call_id)

    def _ask(self, call_id: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it in a task, unless it is being done, or failed a moment ago, or too much is going on."""
        _, pause_until = self._failures.get(call_id, (0, self._now()))
        if call_id in self._asking or len(self._asking) >= MOST_ASKED or self._now() < pause_until:
            return
        task = asyncio.get_running_loop().create_task(self._asked(call_id, work))
        self._asking[call_id] = task
        task.add_done_callback(lambda _: self._asking.pop(call_id))

    async def _asked(self, call_id: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except (TelephonyError, SQLAlchemyError, DatabaseError) as error:
            failures = self._failures.get(call_id, (0, self._now()))[0]
            pause = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
            self._failures[call_id] = (failures + 1, self._now() + timedelta(seconds=pause))
            log.warning("a call could not be looked up", call=call_id, reason=type(error).__name__, again_in=pause)
        else:
            self._failures.pop(call_id, None)

    # Recordings

    async def _sweep(self, now: datetime) -> None:
        """Delete the recordings whose time is over: the file first, so that none is forgotten."""
        if self._files is None:
            return
        before = now - timedelta(days=self._settings.recording_days)
        while found := await self._database.read(_old_recordings, before):
            for call_id, key, account_id in found:
                await asyncio.to_thread(self._files.delete, key, account_id)
                await self._database.run(_forget_recording, call_id, key)


def _due(session: Session, now: datetime) -> list[_Seen]:
    """Calls whose next minute has begun."""
    query = select(PhoneCall).where(PhoneCall.next_minute <= now, PhoneCall.state == CallState.IN_PROGRESS.value)
    return [_seen(call) for call in session.scalars(query.order_by(PhoneCall.next_minute).limit(PAGE))]


def _silent(session: Session, now: datetime, ringing: timedelta) -> list[_Seen]:
    """Calls that were never placed, whose id was never told, or that ring for too long."""
    row = PhoneCall
    query = select(row).where(
        row.state.in_((CallState.QUEUED.value, CallState.RINGING.value)),
        or_(
            row.asked.is_(None) & row.sid.is_(None) & (row.created <= now - UNSTARTED),
            row.sid.is_(None) & (row.asked <= now - UNHEARD),
            row.sid.is_not(None) & (row.updated <= now - ringing),
        ),
    )
    return [_seen(call) for call in session.scalars(query.order_by(row.created).limit(PAGE))]


def _old_recordings(session: Session, before: datetime) -> list[tuple[str, str, str]]:
    row = PhoneCall
    query = select(row.call_id, row.recording, row.account_id).where(row.recording.is_not(None), row.created < before)
    return [(call_id, str(key), account_id) for call_id, key, account_id in session.execute(query.limit(PAGE))]


def _forget_recording(session: Session, call_id: str, key: str) -> None:
    call = session.get(PhoneCall, call_id, with_for_update=True)
    if call is not None and call.recording == key:
        call.recording = None


def _seen(call: PhoneCall) -> _Seen:
    return _Seen(
        call.call_id,
        call.carrier,
        call.state,
        call.sid,
        call.created,
        call.asked,
        call.answered,
        call.next_minute,
        call.outcome,
    )
