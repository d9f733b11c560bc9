"""One browser over WebRTC: the peer connection, its tracks and its data channel, from the offer to the close."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiortc import RTCDataChannel, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCSessionDescription
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtp import RtpPacket

from server.browser.encoders import encode_steadily
from server.browser.errors import BadOffer
from server.browser.ice import bound_gathering, complete_answer, configuration, prepare_offer, wants_video
from server.browser.incoming import IncomingAudio
from server.browser.link import BrowserLink
from server.browser.options import BrowserOptions
from server.browser.tracks import FaceTrack, SpeechTrack
from server.browser.video import VideoFactory, VideoSource

RECEIVER_BUFFER: Final = 0.06
"""Seconds that a browser buffers before it plays, typically."""
_POLL: Final = 1.0
_QUALITY_EVERY: Final = 2
_MAX_BUFFERED: Final = 256 * 1024
_CLOSE_WITHIN: Final = 3.0

log = structlog.get_logger(__name__)


class WebRtcPeer:
    """Owns the peer connection of one session. `close` is always to be awaited: what it leaves open is never freed."""

    def __init__(
        self, session_id: str, agent_id: str, options: BrowserOptions, faces: VideoFactory | None = None
    ) -> None:
        self.link = BrowserLink("browser")
        self.failure: Exception | None = None
        self._options = options
        self._face: Callable[[], VideoSource | None] = lambda: faces(agent_id, self.link) if faces else None
        self._source: VideoSource | None = None
        self._connection = RTCPeerConnection(configuration(options, session_id, time.time()))
        self._incoming = IncomingAudio(self.link.hear, self._failed)
        self._sender: RTCRtpSender | None = None
        self._channel: RTCDataChannel | None = None
        self._settled = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._connection.on("connectionstatechange", self._state_changed)
        self._connection.on("datachannel", self._channel_opened)

    async def answer(self, offer: str) -> str:
        """The answer to a client's offer; the media flows as soon as the client has it. Raises `BadOffer`."""
        connection, description = self._connection, RTCSessionDescription(prepare_offer(offer), "offer")
        if wants_video(description.sdp):
            self._source = self._face()
        self._add_tracks()
        try:
            await connection.setRemoteDescription(description)
            self._refuse_the_rest()
            bound_gathering(connection, self._options.gather_timeout)
            await connection.setLocalDescription()
        except (OperationError, InvalidAccessError, InvalidStateError) as error:
            raise BadOffer(f"The offer cannot be answered: it needs audio as Opus ({error})") from None
        except (ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
            # aiortc's parser has no error of its own: these are what it stumbles with over an SDP that is none.
            raise BadOffer(f"sdp: not a session description ({type(error).__name__})") from None
        for transceiver in connection.getTransceivers():
            if transceiver.kind == "audio" and transceiver.sender is self._sender:
                _take_packets(transceiver.receiver, self._incoming)
            elif transceiver.kind == "video" and transceiver._codecs:
                encode_steadily(transceiver.sender, transceiver._codecs[0].mimeType)
        return complete_answer(connection.localDescription.sdp)

    async def connected(self) -> bool:
        """Wait until the media flows; false where it will not, or not in time."""
        try:
            async with asyncio.timeout(self._options.join_timeout):
                await self._settled.wait()
        except TimeoutError:
            return False
        return self._connection.connectionState == "connected"

    async def watch(self) -> str:
        """Return when the client is gone, and why. Meanwhile, tell the client how good the connection is."""
        heard_of, since, rounds = -1, time.monotonic(), 0
        while not self.link.over.is_set():
            received, round_trip = await self._counts()
            now = time.monotonic()
            if received != heard_of:
                heard_of, since = received, now
            elif now - since >= self._options.lost_after - _POLL:
                return f"nothing came for {now - since:.0f} s"
            if round_trip is not None:
                self.link.delay = RECEIVER_BUFFER + min(round_trip / 2, 0.5)
            rounds += 1
            if rounds % _QUALITY_EVERY == 0:
                self.link.notify("quality", self._quality(round_trip))
            try:
                async with asyncio.timeout(_POLL):
                    await self.link.over.wait()
            except TimeoutError:
                continue
        return "the connection is gone"

    async def drain(self, within: float = 0.5) -> None:
        """Wait until the client has taken the last events."""
        channel = self._channel
        try:
            async with asyncio.timeout(within):
                # There is no event for a buffer that is empty on a channel whose threshold is not ours to set.
                while channel is not None and channel.readyState == "open" and channel.bufferedAmount:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            log.debug("the client did not take the last events")

    async def close(self) -> None:
        """End everything. May be called more than once, and again when it was cancelled."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._incoming.close()
        self.link.over.set()
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self._connection.close()
        except TimeoutError:
            log.warning("a peer connection did not close in time")
        if self._source is not None:
            await self._source.close()

    def _add_tracks(self) -> None:
        connection, options = self._connection, self._options
        self._sender = connection.addTrack(SpeechTrack(self.link, self._failed, bitrate=options.audio_bitrate))
        if self._source is not None:
            connection.addTrack(FaceTrack(self.link, self._source, self._failed, frame_rate=options.frame_rate))
        for transceiver in connection.getTransceivers():
            codecs = RTCRtpSender.getCapabilities(transceiver.kind).codecs
            if transceiver.kind == "audio":
                wanted = [codec for codec in codecs if codec.mimeType == "audio/opus"]
            else:
                first = f"video/{options.video_codec}"
                wanted = sorted(codecs, key=lambda codec: codec.mimeType.lower() != first)
            transceiver.setCodecPreferences(wanted)

    def _refuse_the_rest(self) -> None:
        """One microphone is heard; whatever else is offered to us would only pile up unread."""
        for transceiver in self._connection.getTransceivers():
            if transceiver.kind == "video" or transceiver.sender is not self._sender:
                sends = transceiver.sender.track is not None
                transceiver.direction = "sendonly" if sends else "inactive"

    def _state_changed(self) -> None:
        state = self._connection.connectionState
        if state in ("connected", "failed", "closed"):
            self._settled.set()
        if state in ("failed", "closed"):
            self.link.leave("the connection is gone")

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if self._channel is not None:
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._message)
        self.link.open_events(self._send)

    def _message(self, message: str | bytes) -> None:
        try:
            self.link.receive(message)
        except Exception as error:  # noqa: BLE001 - raised into aiortc it would end the transport without a word
            self._failed(error)

    def _send(self, message: str) -> bool:
        channel = self._channel
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > _MAX_BUFFERED:
            return False
        channel.send(message)
        return True

    def _failed(self, error: Exception) -> None:
        """A fault of ours, in a callback: whoever holds the session hears of it."""
        self.failure = self.failure or error
        self.link.over.set()

    async def _counts(self) -> tuple[int, float | None]:
        """Packets received so far, and the round trip in seconds if it is known."""
        if self._sender is None:
            return 0, None
        received, round_trip = 0, None
        for report in (await self._sender.getStats()).values():
            received += getattr(report, "packetsReceived", 0) if report.type == "transport" else 0
            if report.type == "remote-inbound-rtp":
                round_trip = report.roundTripTime
        return received, round_trip

    def _quality(self, round_trip: float | None) -> dict[str, Any]:
        stats, incoming = self._incoming.stats, self._incoming
        ticks = stats.played + stats.filled
        return {
            "round_trip_ms": None if round_trip is None else round(round_trip * 1000),
            "wait_ms": round(incoming.wait * 1000),
            "missing_percent": round(100 * stats.filled / ticks, 1) if ticks else 0.0,
            "recovered": incoming.recovered,
            "concealed": incoming.concealed,
            "late": stats.late,
        }


class _Tap:
    """Stands where aiortc keeps its jitter buffer, and hands every packet on to ours.

    aiortc goes on counting what came for its receiver reports, which tell the client's encoder how much error
    correction to send; it never has a frame to decode.
    """

    def __init__(self, add: Callable[[int, int, bytes], None]) -> None:
        self._add = add

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Take a packet; there is never a picture to ask for, nor a frame."""
        self._add(packet.sequence_number, packet.timestamp, packet.payload)
        return False, None


def _take_packets(receiver: RTCRtpReceiver, incoming: IncomingAudio) -> None:
    attribute = "_RTCRtpReceiver__jitter_buffer"
    if not hasattr(receiver, attribute):
        raise RuntimeError(
            "aiortc keeps its jitter buffer elsewhere in this version: server/browser/peer.py must follow"
        )
    setattr(receiver, attribute, _Tap(incoming.add))
