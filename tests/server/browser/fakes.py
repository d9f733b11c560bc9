"""Sessions that hold no conversation: they keep what they are told and say what they are asked to."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from agents.link import AudioLink
from media.audio.frames import AudioFrame, Samples
from media.audio.playout import Playout
from media.speech.protocols import SpeechChunk


def tone(seconds: float, rate: int, frequency: float = 440.0) -> Samples:
    """That much of a tone."""
    return (0.3 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


class FakeSession:
    """Implements `agents.link.Conversant`."""

    def __init__(self, link: AudioLink) -> None:
        self.id = "session_fake"
        self.link = link
        self.playout = Playout(link.rate)
        self.frames: list[AudioFrame] = []
        self.heard_at: list[float] = []
        self.typed: list[str] = []
        self.pressed: list[str] = []
        self.interrupted = 0
        self.left: str | None = None
        self.finished: list[tuple[str, str]] = []
        self.cancelled = False
        self.broken = ""
        self.running = asyncio.Event()
        self.heard_all = asyncio.Event()
        self.done = asyncio.Event()
        self.over = asyncio.Event()
        self.news = asyncio.Event()

    def say(self, seconds: float, turn_id: int = 1) -> None:
        """Speak for so long."""
        self.heard_all.clear()
        chunk = SpeechChunk(tone(seconds, self.link.rate), self.link.rate, 0, (), (), final=True)
        self.playout.append(turn_id, "la", chunk)

    def voice(self) -> Samples:
        """What was heard of the caller, 16 kHz."""
        return np.concatenate([frame.samples for frame in self.frames])

    async def until(self, seconds: float) -> None:
        """Wait until that much was heard of the caller."""
        while not self.frames or self.frames[-1].end < seconds * 16_000:
            await self.changed()

    async def changed(self) -> None:
        """Wait until the session is told something."""
        self.news.clear()
        await self.news.wait()

    def hear(self, frame: AudioFrame) -> None:
        if self.broken == "hear":
            raise ZeroDivisionError("the session is broken")
        self.frames.append(frame)
        self.heard_at.append(time.monotonic())
        self.news.set()

    def heard(self, position: int) -> None:
        self.playout.heard(position)
        if self.playout.silent:
            self.heard_all.set()

    def press(self, digit: str) -> None:
        self.pressed.append(digit)
        self.news.set()

    def write(self, text: str) -> None:
        self.typed.append(text)
        self.news.set()

    def interrupt(self) -> None:
        self.interrupted += 1
        self.playout.pause(self.link.flush())
        self.playout.cut()
        self.news.set()

    def finish(self, text: str, reason: str) -> None:
        self.finished.append((text, reason))

    def caller_left(self, reason: str) -> None:
        self.left = self.left or reason
        self.done.set()

    async def run(self) -> None:
        try:
            self.link.start(self.playout)
            self.running.set()
            if self.broken == "run":
                raise ZeroDivisionError("the session is broken")
            await self.done.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.over.set()


class FakeFactory:
    """Implements `server.phone.options.SessionFactory`; remembers every session it made and how it was asked for."""

    def __init__(self) -> None:
        self.sessions: asyncio.Queue[FakeSession] = asyncio.Queue()
        self.asked: list[tuple[str, str, str, str]] = []
        self.taken = 0
        self.broken = ""
        self.made: list[FakeSession] = []

    @property
    def active_sessions(self) -> int:
        return self.taken + sum(not session.over.is_set() for session in self.made)

    def has_agent(self, agent_id: str) -> bool:
        return agent_id in ("demo", "sales")

    def open_session(self, agent_id: str, link: AudioLink, *, call_id: str, peer: str, channel: str) -> FakeSession:
        self.asked.append((agent_id, call_id, peer, channel))
        session = FakeSession(link)
        session.broken = self.broken
        self.made.append(session)
        self.sessions.put_nowait(session)
        return session
