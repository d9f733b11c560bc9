"""A telephone caller: speaks Twilio Media Streams as Twilio does, in real time, and notes what it hears and when.

It dials the voice webhook, obeys its TwiML, sends its line as 20 ms frames (silence where it says nothing), queues
what comes back and plays it at real time, answers marks when playback reaches them, and drops what is queued
on `clear`. Times are seconds of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
import wave
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import httpx
import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from media.audio.g711 import decode_ulaw, encode_ulaw
from tests.peers.playback import FRAME_BYTES, Playback

RATE: Final = 8000
TICK: Final = 0.02
MOST_AHEAD: Final = 25
"""Live frames that wait at most: half a second."""
VOICED: Final = 0.02
"""A clip's sample above this part of full scale is voiced."""
AUDIBLE: Final = 150.0
"""A frame of this RMS (of 32768) or more is heard as speech."""

SILENCE: Final = b"\xff" * FRAME_BYTES


class NoStream(Exception):
    """The webhook did not connect the call to a stream."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to say: μ-law frames of 20 ms, and in which of them the voice begins and ends."""

    name: str
    frames: tuple[bytes, ...]
    first_voiced: int
    last_voiced: int


def load_clip(path: Path) -> Clip:
    """A 16-bit WAV file of any rate as a clip for the telephone. Raises `ValueError` where nothing is voiced."""
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, file.getnchannels())
        samples = pcm.astype(np.float32).mean(axis=1) / 32768
        samples = soxr.resample(samples, file.getframerate(), RATE)
    voiced = np.flatnonzero(np.abs(samples) > VOICED)
    if not len(voiced):
        raise ValueError(f"{path}: nothing is voiced in it")
    samples = np.pad(samples, (0, -len(samples) % FRAME_BYTES))
    codes = encode_ulaw((np.clip(samples, -1, 1) * 32767).astype(np.int16))
    frames = tuple(codes[i : i + FRAME_BYTES] for i in range(0, len(codes), FRAME_BYTES))
    return Clip(path.name, frames, int(voiced[0]) // FRAME_BYTES, int(voiced[-1]) // FRAME_BYTES)


@dataclass(slots=True)
class Spoken:
    """A clip being said: when its first and last voiced frames were sent."""

    clip: Clip
    began: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    began_at: float = 0.0
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame that was played to the caller."""

    at: float
    level: float
    frame: bytes


class PhoneCaller:
    """One call. Made by `calling`."""

    def __init__(
        self,
        websocket: ClientConnection,
        parameters: dict[str, str],
        call_sid: str,
        *,
        jitter: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.call_sid = call_sid
        self.stream_sid = "MZ" + uuid.uuid4().hex
        self.heard: list[Heard] = []
        self.arrived: list[tuple[float, str]] = []  # every frame of speech: when, and the name of the mark after it
        self.cleared_at: list[float] = []
        self.most_queued = 0
        self.began_at = 0.0
        self.over = asyncio.Event()
        self.on_played: Callable[[bytes | None], None] = lambda frame: None
        self._websocket = websocket
        self._parameters = parameters
        self._jitter = jitter
        self._playback = Playback()
        self._saying: deque[tuple[bytes, Spoken, int]] = deque()
        self._sent = 0
        self._unmarked = 0
        self._ticked = asyncio.Event()

    async def begin(self) -> None:
        """Say what Twilio says first."""
        await self._send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        start = {
            "streamSid": self.stream_sid,
            "accountSid": "AC" + "0" * 32,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "customParameters": self._parameters,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1},
        }
        await self._send({"event": "start", "sequenceNumber": "1", "streamSid": self.stream_sid, "start": start})
        self.began_at = time.monotonic()

    def say(self, clip: Clip) -> Spoken:
        """Say a clip, after what is being said already."""
        spoken = Spoken(clip)
        self._saying.extend((frame, spoken, i) for i, frame in enumerate(clip.frames))
        return spoken

    def speak(self, frame: bytes) -> None:
        """Say a frame of μ-law live, after what is being said; what a microphone is ahead of the line is dropped."""
        if len(self._saying) < MOST_AHEAD:
            self._saying.append((frame, Spoken(Clip("live", (), -1, -1)), 0))

    async def press(self, digit: str) -> None:
        """Press a key."""
        content = {"track": "inbound_track", "digit": digit}
        await self._send({"event": "dtmf", "streamSid": self.stream_sid, "dtmf": content})

    async def hang_up(self) -> None:
        """Put the receiver down; the other side may do so at the same moment."""
        stop: dict[str, object] = {"event": "stop", "streamSid": self.stream_sid, "stop": {"callSid": self.call_sid}}
        with suppress(ConnectionClosed):
            await self._send(stop)

    # What was heard

    def audible(self, since: float, until: float = float("inf")) -> float | None:
        """When speech was heard for the first time in this span, None if never."""
        return next((h.at for h in self.heard if since <= h.at <= until and h.level >= AUDIBLE), None)

    def last_audible(self, since: float = 0.0) -> float | None:
        """When speech was heard for the last time, None if never since then."""
        return next((h.at for h in reversed(self.heard) if h.at >= since and h.level >= AUDIBLE), None)

    async def until_audible(self, since: float, timeout: float) -> float | None:
        """Wait for the first speech after `since`; None when the time is up or the call over."""
        limit = time.monotonic() + timeout
        while (at := self.audible(since)) is None and time.monotonic() < limit and not self.over.is_set():
            await self.tick()
        return at

    async def until_quiet(self, gap: float, timeout: float, *, since: float = 0.0) -> float | None:
        """Wait until nothing was heard for `gap` seconds; returns when the last was, None if there was none.

        `since`: only what was heard from then on counts, and without any the wait lasts until `timeout`.
        """
        limit = time.monotonic() + timeout
        while time.monotonic() < limit and not self.over.is_set():
            last = self.last_audible(since)
            if last is not None and time.monotonic() - last > gap:
                break
            await self.tick()
        return self.last_audible(since)

    async def tick(self) -> None:
        """Wait for the next frame's time."""
        self._ticked.clear()
        await self._ticked.wait()

    def record(self, path: Path) -> None:
        """Write what was heard to a WAV file, in its time."""
        if not self.heard:
            return
        length = int((self.heard[-1].at - self.began_at + 1) * RATE)
        sound = np.zeros(length, np.int16)
        for heard in self.heard:
            place = int((heard.at - self.began_at) * RATE)
            sound[place : place + FRAME_BYTES] = decode_ulaw(heard.frame)[: length - place]
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(sound.tobytes())

    # The line

    async def hold(self) -> None:
        """Keep the line until the call is over on either side."""
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen())
                speaking = group.create_task(self._speak())
                await asyncio.wait([listening, speaking], return_when=asyncio.FIRST_COMPLETED)
                listening.cancel()
                speaking.cancel()
        finally:
            self.over.set()
            self._ticked.set()

    async def _speak(self) -> None:
        """A frame every 20 ms on a monotonic deadline, said or silent; what is due is played in the same beat."""
        while True:
            frame = SILENCE
            if self._saying:
                frame, spoken, number = self._saying.popleft()
                now = time.monotonic()
                if number == spoken.clip.first_voiced:
                    spoken.began_at = now
                    spoken.began.set()
                if number == spoken.clip.last_voiced:
                    spoken.ended_at = now
                    spoken.ended.set()
            try:
                await self._send(self._media(frame))
                await self._play()
            except ConnectionClosed:
                return
            self._ticked.set()
            self._sent += 1
            await asyncio.sleep(max(0.0, self.began_at + self._sent * TICK - time.monotonic()) + self._jitter())

    def _media(self, frame: bytes) -> dict[str, object]:
        return {
            "event": "media",
            "sequenceNumber": str(self._sent + 2),
            "streamSid": self.stream_sid,
            "media": {
                "track": "inbound",
                "chunk": str(self._sent + 1),
                "timestamp": str(20 * self._sent),
                "payload": base64.b64encode(frame).decode(),
            },
        }

    async def _play(self) -> None:
        marks, frame = self._playback.tick()
        self.on_played(frame)
        if frame is not None:
            level = float(np.sqrt(np.mean(decode_ulaw(frame).astype(np.float64) ** 2)))
            self.heard.append(Heard(time.monotonic(), level, frame))
        for name in marks:
            await self._send({"event": "mark", "streamSid": self.stream_sid, "mark": {"name": name}})

    async def _listen(self) -> None:
        async for text in self._websocket:
            message = json.loads(text)
            self._note(message, time.monotonic())
            self._playback.receive(message)
            self.most_queued = max(self.most_queued, self._playback.queued_frames)

    def _note(self, message: dict[str, Any], now: float) -> None:
        if message["event"] == "clear":
            self.cleared_at.append(now)
        elif message["event"] == "media":
            self.arrived.append((now, ""))
        elif message["event"] == "mark":
            name = message["mark"]["name"]
            self.arrived[self._unmarked :] = [(at, name) for at, _ in self.arrived[self._unmarked :]]
            self._unmarked = len(self.arrived)

    async def _send(self, message: dict[str, object]) -> None:
        await self._websocket.send(json.dumps(message))


async def dial(url: str, call_sid: str) -> tuple[str, dict[str, str]]:
    """Ask the webhook as Twilio does; returns the stream's URL and parameters. Raises `NoStream`."""
    form = {
        "CallSid": call_sid,
        "AccountSid": "AC" + "0" * 32,
        "From": "+15005550006",
        "To": "+15005550001",
        "CallStatus": "ringing",
        "Direction": "inbound",
    }
    async with httpx.AsyncClient(timeout=15) as client:
        answer = await client.post(url, data=form)
    if answer.status_code != 200:
        raise NoStream(f"the webhook answered {answer.status_code}: {answer.text[:200]}")
    stream = ElementTree.fromstring(answer.text).find("Connect/Stream")
    if stream is None:
        raise NoStream(answer.text)
    return str(stream.get("url")), {str(p.get("name")): str(p.get("value")) for p in stream.findall("Parameter")}


@asynccontextmanager
async def calling(url: str, call_sid: str | None = None) -> AsyncIterator[PhoneCaller]:
    """Call the voice webhook at `url`; the call is hung up at the end of the block."""
    call_sid = call_sid or "CA" + uuid.uuid4().hex
    stream_url, parameters = await dial(url, call_sid)
    async with connect(stream_url, compression=None) as websocket:
        caller = PhoneCaller(websocket, parameters, call_sid)
        await caller.begin()
        async with asyncio.TaskGroup() as group:
            line = group.create_task(caller.hold())
            try:
                yield caller
            finally:
                line.cancel()
