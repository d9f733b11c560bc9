"""Calls the people of all campaigns, for as long as the server runs.

Every server process does: what must happen once is decided in the database (`server.campaigns.claims`), and a call is
started by the process that ordered it. Stopping orders nothing more and lets the starts under way end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from server.campaigns.claims import Claims, Orders, Step
from server.campaigns.outcomes import finish, ready, settle_lost, unfinished
from server.campaigns.turns import Turns
from server.database import Database
from server.settings import Settings
from server.settings.platform import parse_window
from telephony.numbers import zones_of
from telephony.quiet_hours import QuietHours

log = structlog.get_logger(__name__)

EVERY_S: Final = 1.0
TIDY_EVERY: Final = 15
"""Rounds after which lost ends of calls are looked for."""
STARTS: Final = 8
"""Calls that this process asks the carrier for at once; a round orders no more than it may start."""
CLOSE_S: Final = 2.0
"""What a carrier gets to answer when the server stops. A call that is cut off here is found by its keeper."""


class Dialler(Orders, Protocol):
    """Orders calls and starts them. `server.calling.dialler.Dialler` does."""

    async def start(self, call_id: str) -> None:
        """Ask the carrier for an ordered call."""
        ...


class CampaignRunner:
    """`start` once, `close` once. `quiet`, `home`, `window`: see `Claims`; `clock`: the time, with its zone."""

    def __init__(
        self,
        database: Database,
        dialler: Dialler,
        *,
        quiet: QuietHours,
        home: Sequence[str] = ("UTC",),
        window: Callable[[str], tuple[int, int] | None] = lambda _: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        every_s: float = EVERY_S,
    ) -> None:
        self._database = database
        self._dialler = dialler
        self._claims = Claims(dialler, quiet, home, window)
        self._clock = clock
        self._every_s = every_s
        self._turns = Turns()
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._starting: set[asyncio.Task[None]] = set()

    @classmethod
    def of(cls, settings: Settings, database: Database, dialler: Dialler) -> CampaignRunner:
        """As the settings say."""
        telephony = settings.telephony

        def window(plan: str) -> tuple[int, int] | None:
            return parse_window(settings.plans.of(plan).call) if settings.limits.enabled else None

        return cls(
            database,
            dialler,
            quiet=QuietHours(telephony.quiet_from, telephony.quiet_until),
            home=zones_of(telephony.number) or ("UTC",),
            window=window,
        )

    def start(self) -> None:
        """Begin."""
        self._running = asyncio.create_task(self._run(), name="campaigns")

    async def close(self) -> None:
        """Order nothing more and wait for the carrier's answers, though not for ever."""
        self._stopping.set()
        if self._running is not None:  # an order that is being committed is started: not cancelled in between
            await _ended([self._running])
        await _ended(list(self._starting))

    async def round(self) -> None:
        """Order what may be called now, as far as it can be started, and end campaigns that are over."""
        candidates = await self._database.read(ready, self._clock())
        self._turns.forget_others(candidates)
        while candidates and len(self._starting) < STARTS and not self._stopping.is_set():
            chosen = self._turns.next(candidates)
            step = await self._database.run(self._claims.next_call, chosen[1], self._clock())
            if step is Step.NOTHING:
                candidates.remove(chosen)
            elif not isinstance(step, Step):
                self._begin(step)
        for campaign_id in await self._database.read(unfinished):
            if await self._database.run(finish, campaign_id, self._clock()):
                log.info("a campaign is over", campaign=campaign_id)

    async def tidy(self) -> None:
        """Let contacts go whose call has ended without anybody telling."""
        while (count := await self._database.run(settle_lost, self._clock())) and not self._stopping.is_set():
            log.warning("contacts of calls that had ended were still waiting", contacts=count)

    async def started(self) -> None:
        """Wait until every call that was ordered so far has been asked for."""
        while self._starting:
            await asyncio.wait(list(self._starting))

    async def _run(self) -> None:
        rounds = 0
        while not self._stopping.is_set():
            try:
                if rounds % TIDY_EVERY == 0:
                    await self.tidy()
                await self.round()
            except Exception as error:  # the database was away; campaigns go on when it is back
                log.warning("a round of the campaigns failed", exc_info=error)
            rounds += 1
            try:
                async with asyncio.timeout(self._every_s):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def _begin(self, call_id: str) -> None:
        task = asyncio.create_task(self._start(call_id), name=f"start {call_id}")
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _start(self, call_id: str) -> None:
        try:
            await self._dialler.start(call_id)
        except Exception as error:  # the call's keeper finds it, whatever happened
            log.warning("a campaign's call could not be started", call=call_id, exc_info=error)


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for these, at last by cancelling them."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=CLOSE_S)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
