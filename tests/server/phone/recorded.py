"""What a recording holds, read without our own readers; and a line in virtual time with a carrier at its end."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from media.audio.frames import Samples
from media.audio.g711 import encode_ulaw
from media.audio.two_channel import Piece
from media.speech.protocols import SpeechChunk
from server.phone.link import PhoneLink
from server.phone.recording import CallRecorder, RecordingFile
from telephony.media_stream import Mark, Media
from telephony.twilio.messages import TwilioStream
from tests.peers.playback import Playback
from tests.server.phone.fakes import FakeSession
from tests.telephony import messages as twilio

RATE = 8000
FRAME = 160
Pcm = npt.NDArray[np.int16]


def read(source: Path | bytes) -> Pcm:
    """A recording: shape [2, n], the other one and the agent."""
    with wave.open(BytesIO(source) if isinstance(source, bytes) else str(source)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        frames = file.readframes(file.getnframes())
        assert len(frames) == file.getnframes() * 4
    return np.frombuffer(frames, "<i2").reshape(-1, 2).T


class Written:
    """A recorder whose writer is this thread."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.file = RecordingFile(path)
        self.recorder = CallRecorder(self._put, self._finish, clock=clock)

    def _put(self, pieces: Sequence[Piece]) -> bool:
        self.file.write(pieces)
        return True

    def _finish(self, pieces: Sequence[Piece], length: int) -> asyncio.Task[str | None]:
        self.file.finish(pieces, length)

        async def key() -> str | None:
            return "key"

        return asyncio.create_task(key())

    async def ended(self) -> Pcm:
        """What was recorded."""
        assert await self.recorder.close() == "key"
        return read(self.file.path)


class Line:
    """A media stream with a carrier at its other end that sends and plays a frame every 20 ms.

    `says`: what the caller says from `began` on, as PCM; `lost`: numbers of chunks that do not arrive. `heard`: when
    each frame was played and what it was, silence left out. `delay`: of marks on their way back.
    """

    def __init__(self, path: Path, *, says: Pcm | None = None, lost: Sequence[int] = (), delay: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self.protocol = TwilioStream()
        for message in (twilio.connected(), twilio.start()):
            self.protocol.receive(twilio.text(message))
        self.began = self._loop.time()
        self.written = Written(path, self._loop.time)
        self.heard: list[tuple[float, bytes]] = []
        self.link = self._new_link(None)
        self.session = FakeSession(self.link)
        self._says = encode_ulaw(says) if says is not None else b""
        self._lost = lost
        self._delay = delay
        self._playback = Playback()
        self._speaking: asyncio.Task[None] | None = None
        self._carrying: asyncio.Task[None] | None = None

    def _new_link(self, after: PhoneLink | None) -> PhoneLink:
        return PhoneLink(self.protocol, self._send, clock=self._loop.time, recorder=self.written.recorder, after=after)

    async def __aenter__(self) -> Line:
        self._converse()
        self._carrying = asyncio.create_task(self._carry())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task in (self._speaking, self._carrying) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _converse(self) -> None:
        self.link.connect(self.session)
        self.link.start(self.session.playout)
        self._speaking = asyncio.create_task(self.link.speak())

    async def next_conversant(self) -> None:
        """Somebody else speaks from now on."""
        if self._speaking is not None:
            self._speaking.cancel()
            await asyncio.gather(self._speaking, return_exceptions=True)
        self.link = self._new_link(self.link)
        self.session = FakeSession(self.link)
        self._converse()

    def say(self, sound: Samples) -> None:
        """The agent speaks."""
        self.session.playout.append(1, "la", SpeechChunk(sound, RATE, 0, (), (), final=True))

    def interrupt(self) -> int:
        """Silence the agent; returns the position heard."""
        position = self.link.flush()
        self.session.playout.pause(position)
        return position

    async def until(self, seconds: float) -> None:
        """Wait until so long after the beginning."""
        await asyncio.sleep(max(0.0, self.began + seconds - self._loop.time()))

    async def _send(self, message: str) -> None:
        self._playback.receive(json.loads(message))

    async def _carry(self) -> None:
        tick = 0
        while True:
            await asyncio.sleep(max(0.0, self.began + tick * 0.02 - self._loop.time()))
            marks, frame = self._playback.tick()
            if frame is not None:
                self.heard.append((self._loop.time() - self.began, frame))
            for name in marks:
                self._loop.call_later(self._delay, self._pass, name)
            if tick and tick not in self._lost:  # a frame is sent when its last sample has been spoken
                spoken = self._says[(tick - 1) * FRAME : tick * FRAME]
                self._hear(twilio.media(tick, spoken.ljust(FRAME, b"\xff")))
            tick += 1

    def _pass(self, name: str) -> None:
        event = self.protocol.receive(twilio.text(twilio.mark(name)))
        assert isinstance(event, Mark)
        self.link.passed(event.name)

    def _hear(self, message: dict[str, Any]) -> None:
        event = self.protocol.receive(twilio.text(message))
        assert isinstance(event, Media)
        self.link.hear(event)


def click(length: int, place: int) -> Samples:
    """Silence but for one sample."""
    sound = np.zeros(length, np.float32)
    sound[place] = 0.9
    return sound


def clicks(channel: Pcm) -> list[int]:
    """Where a channel is loud."""
    return np.flatnonzero(np.abs(channel.astype(np.int32)) > 8000).tolist()
