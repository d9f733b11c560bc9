"""Sessions that hold no conversation: they keep what they are told and say what they are asked to."""

from __future__ import annotations

import asyncio

import numpy as np

from agents.link import AudioLink
from media.audio.frames import AudioFrame
from media.audio.playout import Playout
from media.speech.protocols import SpeechChunk
from server.phone.options import CallBrief


def speech(samples: int, rate: int = 8000) -> SpeechChunk:
    """That much of a tone."""
    wave = (0.5 * np.sin(np.arange(samples) * 0.3)).astype(np.float32)
    return SpeechChunk(wave, rate, 0, (), (), final=True)


class FakeSession:
    """Implements `agents.link.Conversant`."""

    def __init__(self, link: AudioLink) -> None:
        self.id = "session_fake"
        self.link = link
        self.playout = Playout(link.rate)
        self.frames: list[AudioFrame] = []
        self.pressed: list[str] = []
        self.left: str | None = None
        self.finished: list[tuple[str, str]] = []
        self.cancelled = False
        self.stubborn = False  # goes on although the caller has left
        self.broken = False
        self.running = asyncio.Event()
        self.pressed_once = asyncio.Event()
        self.heard_all = asyncio.Event()
        self.done = asyncio.Event()
        self.over = asyncio.Event()

    def say(self, samples: int, turn_id: int = 1) -> None:
        """Speak for that many samples at the line's rate."""
        self.heard_all.clear()
        self.playout.append(turn_id, "la", speech(samples, self.link.rate))

    def hear(self, frame: AudioFrame) -> None:
        self.frames.append(frame)

    def heard(self, position: int) -> None:
        self.playout.heard(position)
        if self.playout.silent:
            self.heard_all.set()

    def press(self, digit: str) -> None:
        self.pressed.append(digit)
        self.pressed_once.set()

    def write(self, text: str) -> None:
        raise AssertionError("nobody types on a telephone")

    def interrupt(self) -> None:
        raise AssertionError("a telephone has no such button")

    def finish(self, text: str, reason: str) -> None:
        self.finished.append((text, reason))

    def caller_left(self, reason: str) -> None:
        self.left = reason
        if not self.stubborn:
            self.done.set()

    async def run(self) -> None:
        try:
            self.link.start(self.playout)
            self.running.set()
            if self.broken:
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
        self.briefs: list[CallBrief | None] = []
        self.taken = 0
        self.broken = False
        self.stubborn = False
        self._made: list[FakeSession] = []

    @property
    def active_sessions(self) -> int:
        return self.taken + sum(not session.over.is_set() for session in self._made)

    def has_agent(self, agent_id: str) -> bool:
        return agent_id in ("demo", "sales")

    def open_session(
        self,
        agent_id: str,
        link: AudioLink,
        *,
        call_id: str,
        peer: str,
        channel: str,
        brief: CallBrief | None = None,
    ) -> FakeSession:
        self.briefs.append(brief)
        self.asked.append((agent_id, call_id, peer, channel))
        session = FakeSession(link)
        session.broken, session.stubborn = self.broken, self.stubborn
        self._made.append(session)
        self.sessions.put_nowait(session)
        return session
