"""One browser, or any program, over a plain WebSocket: audio as binary messages, events as JSON text.

The token comes as a subprotocol (`visavis` and `token.TOKEN`, answered with `visavis`) or in the first message
({"type": "join", "token": …}), never in the URL. The query says what the binary messages are, both ways: `audio` pcm16
(little-endian, mono, any length up to half a second) or opus (a packet each), `rate` 16000, 24000 or 48000 (of pcm16).
The agent's speech comes in 20 ms at real time, its pauses as nothing; on `clear` the client drops what it has
not played.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import numpy as np
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from agents.link import Conversant
from media.audio.frames import SPEECH_RATE, AudioFrame, Samples, from_int16, to_int16
from media.audio.opus import OpusDecoder, OpusEncoder, OpusError
from media.audio.resample import StreamResampler
from server.browser.calls import converse
from server.browser.errors import Refused
from server.browser.link import SPEECH_OUT_RATE, BrowserLink
from server.browser.options import BrowserOptions

SUBPROTOCOL: Final = "visavis"
TICKET_SUBPROTOCOL: Final = "token."
NORMAL: Final = 1000
POLICY: Final = 1008
INTERNAL_ERROR: Final = 1011
TRY_LATER: Final = 1013

_RATES: Final = (16_000, 24_000, 48_000)
_MAX_WAITING: Final = 256
_QUIET: Final = 0.3
_AHEAD: Final = 5.0

log = structlog.get_logger(__name__)


class _Gone(Exception):
    """The connection is gone, or ended for the reason given."""

    def __init__(self, reason: str = "the connection is gone", code: int = NORMAL) -> None:
        super().__init__(reason)
        self.code = code


class SocketCall:
    """Owns one WebSocket, from the handshake to the close."""

    def __init__(self, websocket: WebSocket, options: BrowserOptions) -> None:
        query = websocket.query_params
        self._websocket = websocket
        self._options = options
        self._opus = query.get("audio", "pcm16") == "opus"
        self._valid = query.get("audio", "pcm16") in ("pcm16", "opus")
        rate = query.get("rate", str(SPEECH_OUT_RATE))
        self._rate = int(rate) if rate in map(str, _RATES) else 0
        self.link = BrowserLink("socket", rate=SPEECH_OUT_RATE if self._opus else self._rate or 16_000, recalls=True)
        self._decode = _Decoder(self._opus, self._rate or 16_000)
        self._encoder = OpusEncoder(self.link.rate, bitrate=options.audio_bitrate) if self._opus else None
        self._events: deque[str] = deque()
        self._awake = asyncio.Event()
        self._heard_at = 0.0
        self._heard = 0
        self._ending = (NORMAL, "the call is over")

    async def accept(self) -> str | None:
        """Accept the connection; returns its token, None where none came. Raises `Refused`."""
        offered: list[str] = self._websocket.scope.get("subprotocols", [])
        token = next((p.removeprefix(TICKET_SUBPROTOCOL) for p in offered if p.startswith(TICKET_SUBPROTOCOL)), None)
        await self._websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        if not self._valid or not self._rate:
            raise Refused(f"audio: pcm16 or opus; rate: one of {', '.join(map(str, _RATES))}")
        if token is not None:
            return token
        try:
            async with asyncio.timeout(self._options.join_timeout):
                content = json.loads((await self._websocket.receive_text())[:1024])
        except (ValueError, KeyError, TimeoutError):
            raise Refused('{"type": "join", "token": …} is expected first') from None
        except (WebSocketDisconnect, RuntimeError):
            return None
        if not isinstance(content, dict) or content.get("type") != "join" or not isinstance(content.get("token"), str):
            raise Refused('{"type": "join", "token": …} is expected first')
        return str(content["token"])

    async def hold(self, session: Conversant) -> None:
        """Hold the conversation until either side ends it."""
        self.link.open_events(self._queue)
        self._heard_at = time.monotonic()
        reason = await converse(session, self.link, self._carry, self._options.wind_up)
        if self._ending[0] == NORMAL:
            self._ending = (NORMAL, reason[:100])

    async def refuse(self, error: Refused) -> None:
        """Say why not, and close."""
        self._queue(json.dumps({"type": "error", "code": error.code, "error": str(error)}))
        self._ending = (TRY_LATER if error.status in (429, 503) else POLICY, str(error)[:100])

    async def fail(self) -> None:
        """A fault of ours."""
        self._ending = (INTERNAL_ERROR, "internal error")

    async def close(self) -> None:
        """Give the client the last events, and close."""
        if WebSocketState.DISCONNECTED in (self._websocket.client_state, self._websocket.application_state):
            return
        try:
            async with asyncio.timeout(1.0):
                await self._send_events()
                await self._websocket.close(*self._ending)
        except (RuntimeError, WebSocketDisconnect, TimeoutError, _Gone):
            log.debug("closed by the peer first")

    async def _carry(self) -> str:
        """Carry audio and events both ways; returns why it ended."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._until_gone(work)) for work in (self._listen, self._speak, self._left)]
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
        gone = next(iter(done)).result()
        if gone.code != NORMAL:
            self._ending = (gone.code, str(gone))
        return str(gone)

    async def _until_gone(self, work: Callable[[], Awaitable[None]]) -> _Gone:
        try:
            await work()
        except _Gone as gone:
            return gone
        return _Gone("the caller hung up")

    async def _left(self) -> None:
        await self.link.over.wait()

    async def _listen(self) -> None:
        began = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(self._options.lost_after):
                    message = await self._websocket.receive()
            except TimeoutError:
                raise _Gone(f"nothing came for {self._options.lost_after:g} s", POLICY) from None
            if message["type"] == "websocket.disconnect":
                raise _Gone
            text, data = message.get("text"), message.get("bytes")
            if text is not None:
                self.link.receive(text)
            elif data:
                self._hear(data, time.monotonic() - began)

    def _hear(self, data: bytes, elapsed: float) -> None:
        try:
            samples = self._decode(data)
        except ValueError as error:
            self.link.notify("error", {"code": "BAD_AUDIO", "error": str(error)})
            return
        self._heard += len(samples)
        self._heard_at = time.monotonic()
        if self._heard / SPEECH_RATE > elapsed + _AHEAD:
            raise _Gone("the audio comes faster than real time", POLICY)
        self.link.hear(samples)

    async def _speak(self) -> None:
        """A frame every 20 ms when there is speech; events as they come, and before the speech that follows them."""
        outgoing = self.link.outgoing
        while True:
            self._awake.clear()
            await self._send_events()
            now = time.monotonic()
            if not outgoing.clock.started or outgoing.due() <= now:
                frame = self.link.next_frame()
                if frame.speech:
                    await self._send_events()
                    await self._send(self._encoded(frame.samples))
                if now - self._heard_at > _QUIET:  # a client that sends no silence is silent all the same
                    self.link.hear(np.zeros(SPEECH_RATE // 50, np.float32))
            try:
                async with asyncio.timeout(max(0.0, outgoing.due() - time.monotonic())):
                    await self._awake.wait()
            except TimeoutError:
                continue

    def _encoded(self, samples: Samples) -> bytes:
        return to_int16(samples).astype("<i2").tobytes() if self._encoder is None else self._encoder.encode(samples)

    def _queue(self, message: str) -> bool:
        if len(self._events) >= _MAX_WAITING:
            return False
        self._events.append(message)
        self._awake.set()
        return True

    async def _send_events(self) -> None:
        while self._events:
            await self._send(self._events.popleft())

    async def _send(self, message: str | bytes) -> None:
        try:
            if isinstance(message, str):
                await self._websocket.send_text(message)
            else:
                await self._websocket.send_bytes(message)
        except (WebSocketDisconnect, RuntimeError):  # RuntimeError: closed while we were waiting to send
            raise _Gone from None


class _Decoder:
    """Binary messages to 16 kHz. Raises `ValueError` for what is no audio."""

    def __init__(self, opus: bool, rate: int) -> None:
        self._opus = OpusDecoder(SPEECH_RATE) if opus else None
        self._rate = rate
        self._resampler = StreamResampler(rate, SPEECH_RATE)
        self._received = 0

    def __call__(self, data: bytes) -> Samples:
        if self._opus is not None:
            try:
                return self._opus.decode(data)
            except OpusError as error:
                raise ValueError(str(error)) from error
        if len(data) % 2 or len(data) > self._rate:
            raise ValueError("pcm16: whole samples of two bytes, half a second of them at most")
        frame = AudioFrame(from_int16(np.frombuffer(data, "<i2").astype(np.int16)), self._rate, self._received)
        self._received = frame.end
        return frame.samples if self._rate == SPEECH_RATE else self._resampler.process(frame).samples
