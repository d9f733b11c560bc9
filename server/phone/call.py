"""One call: a WebSocket that speaks Twilio Media Streams on one side, a session on the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from agents.link import Conversant
from server.phone.link import LineRecorder, PhoneLink
from server.phone.options import PhoneOptions
from telephony.errors import ProtocolError
from telephony.media_stream import Connected, Dtmf, Event, Mark, Media, MediaStream, Start, Stop

NORMAL: Final = 1000
POLICY: Final = 1008
INTERNAL_ERROR: Final = 1011
TRY_LATER: Final = 1013
CONNECTION_GONE: Final = "the connection is gone"

log = structlog.get_logger(__name__)


class CallerGone(Exception):
    """The connection is gone; there is nobody to close it to."""


class PhoneCall:
    """Owns everything that belongs to one stream of a call, from the handshake to the close.

    `started` waits for the stream's start. Each of those who speak with the caller, one after the other, gets a link of
    its own (`next_link`) and holds the line with `converse` until it has finished or the caller is `gone`.

    `on_event` is told what they notify. `recorder` is given both sides of the line.
    """

    def __init__(
        self,
        websocket: WebSocket,
        protocol: MediaStream,
        options: PhoneOptions,
        *,
        on_event: Callable[[str, dict[str, object]], None] | None = None,
    ) -> None:
        self.protocol = protocol
        self.on_event = on_event
        self.recorder: LineRecorder | None = None
        self.gone: str | None = None
        self._link = PhoneLink(self.protocol, self._send)
        self._websocket = websocket
        self._options = options
        self._ending = (NORMAL, "the call is over")
        self._session: Conversant | None = None
        self._finishing: tuple[str, str] | None = None

    @property
    def hung_up(self) -> str | None:
        """Why the one who spoke last ended the call; None where that was not so."""
        return self._link.hung_up

    def next_link(self) -> PhoneLink:
        """The link of whoever speaks next; what the one before has said and was not yet heard is silenced."""
        before = self._link if self._link.connected else None
        self._link = PhoneLink(self.protocol, self._send, recorder=self.recorder, on_event=self.on_event, after=before)
        return self._link

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
        """Hold a conversation on the last link that was given. When the caller leaves, the session ends."""
        self._link.connect(session)
        self._session = session
        if self._finishing is not None:
            session.finish(*self._finishing)
        try:
            async with asyncio.TaskGroup() as group:
                conversation = group.create_task(session.run())
                line = [group.create_task(self._listen()), group.create_task(self._speak())]
                await asyncio.wait([conversation, *line], return_when=asyncio.FIRST_COMPLETED)
                if not conversation.done():
                    if self.hung_up is None:
                        session.caller_left(self._ending[1])
                    await asyncio.wait([conversation], timeout=self._options.wind_up)
                for task in (conversation, *line):
                    task.cancel()
        finally:
            self._session = None
        log.info(
            "conversation ended",
            reason=self.hung_up or self._ending[1],
            stray_marks=self._link.stray_marks,
            **asdict(self.protocol.counts),
        )

    def finish(self, text: str, reason: str) -> None:
        """Have whoever speaks, now or next, say this to its end and hang up."""
        if self._finishing is None:
            self._finishing = (text, reason)
            if self._session is not None:
                self._session.finish(text, reason)

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
        """Take what comes until it ends; why, stands in `gone`."""
        loop = asyncio.get_running_loop()
        patience = self._options.silence_timeout
        try:
            async with asyncio.timeout(patience) as limit:
                while not isinstance(event := await self._receive(), Stop):
                    if isinstance(event, Media):
                        limit.reschedule(loop.time() + patience)
                    self._handle(event)
            self._leaves(NORMAL, "the caller hung up")
        except TimeoutError:
            self._leaves(POLICY, f"no audio for {patience:g} s")
        except CallerGone:
            self._leaves(NORMAL, CONNECTION_GONE)
        except ProtocolError as error:
            log.warning("media stream broken", code=error.code, reason=error.reason)
            self._leaves(error.code, error.reason)

    def _handle(self, event: Event | None) -> None:
        match event:
            case Media():
                self._link.hear(event)
            case Mark(name):
                self._link.passed(name)
            case Dtmf(digit):
                self._link.press(digit)
            case Connected() | Start() | Stop() | None:
                pass

    async def _speak(self) -> None:
        try:
            await self._link.speak()
        except CallerGone:
            self._leaves(NORMAL, CONNECTION_GONE)

    def _leaves(self, code: int, reason: str) -> None:
        """The caller is gone; the first reason is the one that counts."""
        if self.gone is None:
            self.gone = reason
            self._ending = (code, reason)

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
