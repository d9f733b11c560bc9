"""Outbound calls: ordered in a transaction, then asked of the carrier, at most once whatever crashes in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.calling import steps
from server.calling.books import Books
from server.calling.guard import CallNotAllowed, Guard
from server.calling.owners import AgentOwners
from server.database import Database
from server.database.tables import PhoneCall
from server.phone.book import CALL_STATUS_PATH, OUTBOUND_PATH
from server.settings import Settings
from telephony.progress import CallState
from telephony.twilio.rest import (
    CLOCKS_APART,
    CarrierCall,
    CarrierRefused,
    CarrierUnavailable,
    CarrierUnsure,
    TwilioCalls,
)

MOST_STARTING: Final = 200
"""Calls that wait for their turn, or for the carrier's answer; more are not ordered."""
AT_ONCE: Final = 16
"""Calls that the carrier is asked for at once: fewer than its client has connections."""
PLACE_S: Final = 25.0
"""The carrier's client has given up by then, its one retry included."""
CLOSE_S: Final = 1.0
NEVER_PLACED: Final = "The carrier never placed the call"
_UNKNOWN_THERE: Final = 20404
"""Twilio's error number of what it does not know."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """What there is to know of a call when its carrier is asked about it."""

    call_id: str
    carrier: str
    sid: str | None
    state: CallState
    peer: str
    own_number: str
    asked: datetime | None


class Dialler:
    """Places, looks up and hangs up calls. `carrier`: None where this server places none. Await `close` at the end.

    A call is ordered, with its first minute reserved, in one transaction; `start` asks the carrier after the commit.
    The row says that it is about to be asked before it is, so nobody is called twice; what became of an order that a
    crash cut short is found out by `find_placed`.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        books: Books,
        *,
        guard: Guard,
        owners: AgentOwners,
        carrier: TwilioCalls | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings.telephony
        self._price = settings.prices.call_minute
        self._url = settings.public_url
        self._database = database
        self._books = books
        self._owners = owners
        self._carrier = carrier
        self._now = now
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._line = asyncio.Semaphore(AT_ONCE)
        self.guard = guard

    @property
    def busy(self) -> bool:
        """Whether so many calls wait for the carrier that no more should be ordered."""
        return len(self._tasks) >= MOST_STARTING

    @property
    def starting(self) -> frozenset[str]:
        """The calls that `begin` has begun with here."""
        return frozenset(self._tasks)

    def can_ask(self, carrier: str) -> bool:
        """Whether a carrier can be asked about its calls."""
        return self._carrier is not None and carrier == "twilio"

    def order(
        self,
        session: Session,
        *,
        account_id: str,
        agent_id: str,
        number: str,
        variables: Mapping[str, Any] | None = None,
        contact_id: int | None = None,
    ) -> str:
        """Order a call in the caller's transaction, one a transaction; returns its id. After the commit, `start` it.

        Raises `CallNotAllowed`, and `server.credits.InsufficientCredits` where the first minute cannot be reserved.
        """
        self.guard.check_configured()
        if not self._owners.owns(session, account_id, agent_id):
            raise CallNotAllowed("NO_SUCH_AGENT", "agentId: there is no such agent", "agentId")
        destination = self.guard.check(session, account_id, number)
        call = steps.add(
            session,
            account_id=account_id,
            agent_id=agent_id,
            direction="outbound",
            carrier=self._settings.carrier,
            own_number=self._settings.number,
            peer=destination.number,
            price=self._price,
            now=self._now(),
            variables=variables,
            contact_id=contact_id,
        )
        return call.call_id

    def begin(self, call_id: str) -> None:
        """`start` in a task that this object owns."""
        if call_id in self._tasks:
            return
        task = asyncio.get_running_loop().create_task(self.start(call_id))
        self._tasks[call_id] = task
        task.add_done_callback(lambda _: self._done(call_id, task))

    async def start(self, call_id: str) -> None:
        """Ask the carrier to place a call that was ordered. A second time, or after it was cancelled, does nothing.

        If the carrier refuses or cannot be reached, the call has failed and its credits are released. If it is not
        known what the carrier did, the call stays queued: its callbacks tell, or `find_placed` does.
        """
        if self._carrier is None:
            await self._books.fail(call_id, "This server places no calls")
            return
        async with self._line:  # claimed only when it is its turn: a claimed call is asked for at once
            asked = await self._database.run(_claim, call_id, self._now())
            placed = None if asked is None else await self._place(self._carrier, asked)
        if placed is None:
            return
        if await self._books.placed(call_id, placed) is CallState.CANCELED:
            await self._end(call_id, placed.sid, ringing=True)

    async def _place(self, carrier: TwilioCalls, asked: _Known) -> CarrierCall | None:
        """What the carrier makes of it; None where it is not placed, or nobody knows."""
        call_id = asked.call_id
        try:
            async with asyncio.timeout(PLACE_S):
                return await carrier.place(
                    to=asked.peer,
                    caller=asked.own_number,
                    answer_url=self._url + OUTBOUND_PATH.format(call_id=call_id),
                    status_url=self._url + CALL_STATUS_PATH.format(call_id=call_id),
                    ring_seconds=self._settings.ring_s,
                    longest_seconds=self._settings.longest_s,
                )
        except (CarrierRefused, CarrierUnavailable) as error:
            log.warning("a call was not placed", call=call_id, reason=str(error))
            await self._books.fail(call_id, str(error))
        except (CarrierUnsure, TimeoutError) as error:
            log.warning("it is not known whether a call was placed", call=call_id, reason=str(error))
        return None

    async def hang_up(self, call_id: str) -> None:
        """End a call: one that rings is cancelled. One that has ended, or is not there, is let be.

        The carrier's word makes it final; a call of which the carrier has not told anything yet is cancelled at once.
        Raises `CarrierError` where the carrier cannot be told.
        """
        if await self._books.cancel(call_id):
            return
        known = await self._database.read(_known, call_id)
        if known is None or known.sid is None or known.state.ended:
            return
        if not self.can_ask(known.carrier):
            raise CarrierUnavailable("this server cannot hang up calls of that carrier")
        await self._end(call_id, known.sid, ringing=known.state is not CallState.IN_PROGRESS)

    async def look_up(self, call_id: str) -> None:
        """Ask the carrier how a call stands, and write it down. Raises `CarrierError`."""
        known = await self._database.read(_known, call_id)
        if known is None or known.sid is None or known.state.ended or self._carrier is None:
            return
        try:
            call = await self._carrier.status(known.sid)
        except CarrierRefused as error:
            if error.code != _UNKNOWN_THERE:
                raise
            await self._books.lost(call_id, "The carrier does not know the call")
            return
        await self._tell(call_id, call)

    async def find_placed(self, call_id: str) -> None:
        """Find out whether the carrier has placed a call of which it never told the id. Raises `CarrierError`.

        A number is called by one call at a time, so what the carrier has called since then, and no other call of ours
        is, is this one. There being none, it was never placed.
        """
        known = await self._database.read(_known, call_id)
        if known is None or known.asked is None or known.sid is not None or self._carrier is None:
            return
        found = await self._carrier.find(to=known.peer, caller=known.own_number, since=known.asked - CLOCKS_APART)
        for call in found:
            if await self._books.placed(call_id, call) is not None:
                log.warning("a call was found at the carrier", call=call_id, sid=call.sid)
                return
        await self._books.fail(call_id, NEVER_PLACED)

    async def close(self) -> None:
        """Give the calls that are being placed a moment; the others are found by whoever keeps the calls next."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=CLOSE_S)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _end(self, call_id: str, sid: str, *, ringing: bool) -> None:
        assert self._carrier is not None  # noqa: S101 - there is a sid
        try:
            call = await self._carrier.hang_up(sid, ringing=ringing)
            if ringing and call.status == CallState.IN_PROGRESS.value:  # it was answered this very moment
                call = await self._carrier.hang_up(sid)
        except CarrierRefused:  # it has ended already
            call = await self._carrier.status(sid)
        await self._tell(call_id, call)

    async def _tell(self, call_id: str, call: CarrierCall) -> None:
        await self._books.report(call_id, call.status, sid=call.sid, seconds=call.seconds)

    def _done(self, call_id: str, task: asyncio.Task[None]) -> None:
        del self._tasks[call_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a call could not be started", call=call_id, exc_info=error)


def _claim(session: Session, call_id: str, now: datetime) -> _Known | None:
    """Note that the carrier is asked now; None where it was already, or is not to be any more."""
    call = steps.locked(session, call_id)
    if call is None or call.asked is not None or call.state != CallState.QUEUED.value:
        return None
    call.asked = now
    session.flush()
    return _read(call)


def _known(session: Session, call_id: str) -> _Known | None:
    call = session.scalar(select(PhoneCall).where(PhoneCall.call_id == call_id))
    return None if call is None else _read(call)


def _read(call: PhoneCall) -> _Known:
    return _Known(call.call_id, call.carrier, call.sid, CallState(call.state), call.peer, call.own_number, call.asked)
