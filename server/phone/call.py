"""One call: a WebSocket that speaks Twilio Media Streams on one side, a session on the other."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Final

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from agents.link import Conversant
from server.phone.link import PhoneLink
from server.phone.options import PhoneOptions
from telephony.errors import ProtocolError
from telephony.media_stream import Connected, Dtmf, Event, Mark, Media, MediaStream, Start, Stop

NORMAL: Final = 1000
POLICY: Final = 1008
INTERNAL_ERROR: Final = 1011
TRY_LATER: Final = 1013

log = structlog.get_logger(__name__)


class CallerGone(Exception):
    """The connection is gone; there is nobody to close it to."""


class PhoneCall:
    """Owns everything that belongs to one call, from the handshake to the close.

    `started` waits for the stream's start; `converse` holds the call until it is over on either side.
    """

    def __init__(self, websocket: WebSocket, protocol: MediaStream, options: PhoneOptions) -> None:
        self.protocol = protocol
        self.link = PhoneLink(self.protocol, self._send)
        self._websocket = websocket
        self._options = options
        self._ending = (NORMAL, "the call is over")

    async def started(self) -> Start:
        """The stream's start. Raises `ProtocolError`, also where it does not come in time, and `CallerGone`."""
        try:
            async with asyncio.timeout(self._options.start_timeout):
                while True:
                    match await self._receive():
                        case Start() as start:
                            return start
                        case Stop():
                            raise CallerGone
        except TimeoutError:
            raise ProtocolError(POLICY, "no stream has started") from None

    async def converse(self, session: Conversant) -> None:
        """Hold the conversation. When the caller leaves, the session ends; when it ends, so does the call."""
        self.link.connect(session)
        async with asyncio.TaskGroup() as group:
            conversation = group.create_task(session.run())
            line = [group.create_task(self._listen()), group.create_task(self._speak())]
            await asyncio.wait([conversation, *line], return_when=asyncio.FIRST_COMPLETED)
            if not conversation.done():
                if self.link.hung_up is None:
                    session.caller_left(self._ending[1])
                await asyncio.wait([conversation], timeout=self._options.wind_up)
            for task in (conversation, *line):
                task.cancel()
        log.info(
            "call ended",
            reason=self.link.hung_up or self._ending[1],
            stray_marks=self.link.stray_marks,
            **asdict(self.protocol.counts),
        )

    async def close(self, code: int | None = None, reason: str = "") -> None:
        """Close the connection if it is open; without a code, with what the call ended with."""
        if code is None:
            code, reason = self._ending
        websocket = self._websocket
        if WebSocketState.DISCONNECTED in (websocket.client_state, websocket.application_state):
            return
        try:
            await websocket.close(code, reason)
        except (RuntimeError, WebSocketDisconnect):
            log.debug("closed by the peer first")

    async def _listen(self) -> None:
        """Take what comes until it ends; why, stands in `_ending`."""
        loop = asyncio.get_running_loop()
        patience = self._options.silence_timeout
        try:
            async with asyncio.timeout(patience) as limit:
                while not isinstance(event := await self._receive(), Stop):
                    if isinstance(event, Media):
                        limit.reschedule(loop.time() + patience)
                    self._handle(event)
            self._ending = (NORMAL, "the caller hung up")
        except TimeoutError:
            self._ending = (POLICY, f"no audio for {patience:g} s")
        except CallerGone:
            self._ending = (NORMAL, "the connection is gone")
        except ProtocolError as error:
            log.warning("media stream broken", code=error.code, reason=error.reason)
            self._ending = (error.code, error.reason)

    def _handle(self, event: Event | None) -> None:
        match event:
            case Media():
                self.link.hear(event)
            case Mark(name):
                self.link.passed(name)
            case Dtmf(digit):
                self.link.press(digit)
            case Connected() | Start() | Stop() | None:
                pass

    async def _speak(self) -> None:
        try:
            await self.link.speak()
        except CallerGone:
            self._ending = (NORMAL, "the connection is gone")

    async def _receive(self) -> Event | None:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise CallerGone
        text = message.get("text")
        return self.protocol.receive(text if text is not None else message.get("bytes") or b"")

    async def _send(self, message: str) -> None:
        try:
            await self._websocket.send_text(message)
        except (WebSocketDisconnect, RuntimeError):  # RuntimeError: closed while we were waiting to send
            raise CallerGone from None
