"""One count for both processes: the API process has the server's limiter count its requests."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog

from server.api_process.frames import Count, Counted, Message
from server.gate.limits import Admits, LimitClass, Subject, Verdict

log = structlog.get_logger(__name__)


class AskingLimiter:
    """The limiter of the API process: asks over `send`, is told over `told`."""

    def __init__(self, send: Callable[[Message], None], *, enabled: bool) -> None:
        self.enabled = enabled
        self._send = send
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[Verdict]] = {}

    async def admit(self, account: Subject, kind: LimitClass) -> Verdict:
        """See `server.gate.limits.Limiter`."""
        return await self._ask(account.id, account.plan, kind)

    async def admit_stranger(self, address: str) -> Verdict:
        """See `server.gate.limits.Limiter`."""
        return await self._ask(address, "", "")

    async def close(self) -> None:
        """Nothing is held."""

    def told(self, counted: Counted) -> None:
        """The answer to a question; whoever asked may have gone."""
        asked = self._asked.get(counted.number)
        if asked is None or asked.done():
            return
        if counted.verdict is None:
            asked.set_exception(RuntimeError("the server could not count a request"))
        else:
            asked.set_result(counted.verdict)

    async def _ask(self, subject: str, plan: str, kind: str) -> Verdict:
        number = next(self._numbers)
        asked: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._asked[number] = asked
        self._send(Count(number, subject, plan, kind))
        try:
            return await asked
        finally:
            del self._asked[number]


@dataclass(frozen=True, slots=True)
class _Account:
    id: str
    plan: str


class Counter:
    """The server's answers to `AskingLimiter`."""

    def __init__(self, limiter: Admits, send: Callable[[Message], None]) -> None:
        self._limiter = limiter
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()

    def count(self, asked: Count) -> None:
        """Count a request and say what came of it."""
        task = asyncio.get_running_loop().create_task(self._count(asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Count nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _count(self, asked: Count) -> None:
        verdict: Verdict | None = None
        try:
            if asked.kind:
                verdict = await self._limiter.admit(_Account(asked.subject, asked.plan), cast(LimitClass, asked.kind))
            else:
                verdict = await self._limiter.admit_stranger(asked.subject)
        except Exception:  # the other process tells its client
            log.exception("a request could not be counted")
        self._send(Counted(asked.number, verdict))
