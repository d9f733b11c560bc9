"""Somebody who only speaks: a message after the beep, an answer to a call screener. Then hangs up, or returns."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any, Final

import structlog

from agents.link import AudioLink
from media.audio.frames import AudioFrame
from media.audio.playout import Playout
from media.speech.protocols import SpeechChunk, Voice

READY: Final = 5.0
"""Seconds within which texts that wait for their moment are synthesised; anything a caller waits for goes first."""
LAST_WORDS: Final = 15.0
"""Seconds that last words may take, from being asked for to having been heard."""

log = structlog.get_logger(__name__)


class Announcement:
    """Implements `agents.link.Conversant`: hears nothing, and speaks `texts` to their end.

    They are synthesised at once and spoken when `begin` is done (None: at once; one that is cancelled: never). Then it
    waits for `until`, at most `patience` seconds, and hangs up for the reason `hang_up`, or returns where that is "".
    `spoken` tells whether the texts have been heard to their end. A voice that fails leaves them out.
    """

    def __init__(
        self,
        link: AudioLink,
        voice: Voice,
        texts: Sequence[str],
        *,
        speed: float = 1.0,
        begin: asyncio.Future[Any] | None = None,
        until: asyncio.Future[Any] | None = None,
        patience: float | None = None,
        hang_up: str = "",
    ) -> None:
        self.spoken = False
        self._id = f"announcement_{secrets.token_hex(8)}"
        self._link = link
        self._voice = voice
        self._texts = [text for text in texts if text.strip()]
        self._speed = speed
        self._begin = begin
        self._until = until
        self._patience = patience
        self._hang_up = hang_up
        self._loop = asyncio.get_running_loop()
        self._playout = Playout(link.rate)
        self._silent = asyncio.Event()
        self._interrupted = asyncio.Event()
        self._restarted = asyncio.Event()
        self._last: tuple[str, str] | None = None
        self._left = False
        self._turn = 0

    @property
    def id(self) -> str:
        """Its id, in log lines."""
        return self._id

    def again(self) -> None:
        """What was said was not recorded: say it anew. Nothing before the first word and after the last."""
        if self._turn and not self.spoken and self._last is None:
            self._restarted.set()
            self._silent.set()

    # What the link may do (agents.link.Conversant)

    def hear(self, frame: AudioFrame) -> None:
        """Nothing: it does not listen."""

    def heard(self, position: int) -> None:
        """The listener has heard up to this playout position."""
        self._playout.heard(position)
        if self._playout.silent:
            self._silent.set()

    def press(self, digit: str) -> None:
        """Nothing."""

    def write(self, text: str) -> None:
        """Nothing."""

    def interrupt(self) -> None:
        """Nothing."""

    def finish(self, text: str, reason: str) -> None:
        """Say this instead, to its end, then hang up."""
        if self._last is None:
            self._last = (text, reason)
            self._interrupted.set()

    def caller_left(self, reason: str) -> None:
        """The connection is gone."""
        self._left = True
        self._interrupted.set()

    async def run(self) -> None:
        """Speak, wait, hang up."""
        self._link.start(self._playout)
        plan = self._loop.create_task(self._plan())
        interrupted = self._loop.create_task(self._interrupted.wait())
        try:
            await asyncio.wait((plan, interrupted), return_when=asyncio.FIRST_COMPLETED)
            if not interrupted.done():
                await plan
                if self._hang_up:
                    self._link.hang_up(self._hang_up)
                return
        finally:
            for task in (plan, interrupted):
                task.cancel()
            await asyncio.gather(plan, interrupted, return_exceptions=True)
        if self._last is not None and not self._left:
            text, reason = self._last
            await self._say_last(text)
            self._link.hang_up(reason)

    async def _plan(self) -> None:
        chunks = await self._synthesised(self._texts, self._loop.time() + READY)
        if await _done(self._begin) and chunks:
            await self._say(chunks)
            while self._restarted.is_set():
                self._restarted.clear()
                self._cut()
                await self._say(chunks)
            self.spoken = True
        await _done(self._until, self._patience)

    async def _say_last(self, text: str) -> None:
        self._cut()
        try:
            async with asyncio.timeout(LAST_WORDS):
                chunks = await self._synthesised([text], self._loop.time())
                await self._say(chunks)
        except TimeoutError:
            log.warning("last words took too long")

    async def _say(self, spoken: Sequence[tuple[str, SpeechChunk]]) -> None:
        """Speak; returns when it has been heard, or shall begin again."""
        if not spoken:
            return
        self._turn += 1
        for text, chunk in spoken:
            self._playout.append(self._turn, text, chunk)
            await asyncio.sleep(0)  # a long text is much to resample: others' audio goes on meanwhile
        self._silent.clear()
        if not self._playout.silent:
            await self._silent.wait()

    def _cut(self) -> None:
        self._playout.pause(self._link.flush())
        self._playout.cut()

    async def _synthesised(self, texts: Sequence[str], due: float) -> list[tuple[str, SpeechChunk]]:
        chunks = []
        for text in texts:
            try:
                async for chunk in self._voice.synthesise(text, deadline=due, speed=self._speed):
                    chunks.append((text, chunk))
            except Exception:  # whatever the voice raises: the call ends in silence, but it ends as it should
                log.exception("a text was not spoken")
                return []
        return chunks


async def _done(future: asyncio.Future[Any] | None, patience: float | None = None) -> bool:
    """Wait for something that belongs to somebody else; False where it was cancelled by them, or took too long."""
    if future is None:
        return True
    await asyncio.wait((future,), timeout=patience)
    return future.done() and not future.cancelled()
