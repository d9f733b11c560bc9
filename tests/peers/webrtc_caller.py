"""A browser's part of a session, on stock aiortc: it asks for a session, joins it, speaks, and notes what it hears.

It encodes with PyAV, as a browser would: Opus in 20 ms packets with in-band error correction. Between it and the
server may stand a `Relay`, a network that loses and delays. Times are seconds of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
import httpx
import numpy as np
import numpy.typing as npt
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtcpSrPacket, RtpPacket

RATE: Final = 48_000
FRAME: Final = 960
AUDIBLE: Final = 0.005

Sound = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heard:
    """20 ms that arrived: when, at which RTP time (in samples), how loud (RMS of full scale), and the samples."""

    at: float
    pts: int
    level: float
    samples: Sound


class Microphone(MediaStreamTrack):
    """Says what it is given, silence otherwise, at real time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.sent_at: list[float] = []
        self._queue: deque[Sound] = deque()
        self._left: Sound = np.zeros(0, np.float32)
        self._origin = 0.0
        self._codec = av.CodecContext.create("libopus", "w")
        self._codec.bit_rate = 32_000
        self._codec.sample_rate = RATE
        self._codec.layout = "mono"
        self._codec.format = "flt"
        self._codec.options = {"application": "voip", "fec": "1", "packet_loss": "10"}

    def say(self, samples: Sound) -> None:
        """Say this (48 kHz) after what is being said."""
        self._left = np.concatenate([self._left, samples])

    @property
    def talking(self) -> bool:
        """Whether there is something left to say."""
        return bool(len(self._left))

    async def recv(self) -> av.Packet[Any]:
        """The next packet, at its time."""
        self._origin = self._origin or time.monotonic()
        number = len(self.sent_at)
        await asyncio.sleep(max(0.0, self._origin + number * 0.02 - time.monotonic()))
        if self.readyState != "live":
            raise MediaStreamError
        samples = np.zeros(FRAME, np.float32)
        samples[: len(self._left[:FRAME])] = self._left[:FRAME]
        self._left = self._left[FRAME:]
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, number * FRAME, Fraction(1, RATE)
        packets = self._codec.encode(frame)
        self.sent_at.append(time.monotonic())
        packet: av.Packet[Any] = packets[0]
        packet.pts, packet.time_base = number * FRAME, Fraction(1, RATE)
        return packet


class Wire:
    """What came for one track before it was buffered and decoded: packets, and the sender's own times.

    These are in its RTCP reports (RFC 3550, 6.4.1).
    """

    def __init__(self, receiver: RTCRtpReceiver, rate: int) -> None:
        self._receiver = receiver
        self._rate = rate
        self._reports: list[tuple[float, int]] = []
        self._arrivals: dict[int, float] = {}
        handle_report, handle_packet = receiver._handle_rtcp_packet, receiver._handle_rtp_packet

        async def note_report(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket) and packet.sender_info.ntp_timestamp:
                info = packet.sender_info
                self._reports.append((info.ntp_timestamp / (1 << 32), info.rtp_timestamp))
            await handle_report(packet)

        async def note_packet(packet: RtpPacket, *, arrival_time_ms: int) -> None:
            self._arrivals.setdefault(packet.timestamp, time.monotonic())
            await handle_packet(packet, arrival_time_ms=arrival_time_ms)

        receiver._handle_rtcp_packet = note_report  # type: ignore[method-assign]
        receiver._handle_rtp_packet = note_packet  # type: ignore[method-assign, assignment]

    def sent_at(self, pts: float) -> float:
        """The sender's time, in seconds, of what carries this time stamp (seconds from the track's first packet)."""
        skews = [ntp - ((rtp - self._origin) % (1 << 32)) / self._rate for ntp, rtp in self._reports]
        return pts + float(np.median(skews))

    def arrived_at(self, pts: int) -> float:
        """When the packet with this time stamp came (counted from the first one)."""
        return self._arrivals[(self._origin + pts) % (1 << 32)]

    @property
    def _origin(self) -> int:
        origin: int = self._receiver._RTCRtpReceiver__timestamp_mapper._origin  # type: ignore[attr-defined]
        return origin


class WebRtcCaller:
    """One session. Made by `calling`."""

    def __init__(self, session: Mapping[str, Any], http: httpx.AsyncClient) -> None:
        self.session = session
        self.microphone = Microphone()
        self.heard: list[Heard] = []
        self.pictures: list[tuple[float, float, av.VideoFrame]] = []
        self.pictured_at: list[float] = []
        self.keeps_pictures = True
        self.events: list[dict[str, Any]] = []
        self.wires: dict[str, Wire] = {}
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel = self.connection.createDataChannel("events")
        self.relay: Relay | None = None
        self._http = http
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.channel.on("message", self._message)
        self.connection.on("track", self._track)
        self.connection.on("connectionstatechange", self._news.set)

    @property
    def headers(self) -> dict[str, str]:
        """What opens this session."""
        return {"Authorization": f"Bearer {self.session['token']}"}

    async def join(self, relay: Relay | None = None, *, video: bool = False, codec: str = "") -> httpx.Response:
        """Make the offer; returns the server's response, applied if it is an answer. `codec`: the only one of video."""
        self.relay = relay
        self.connection.addTrack(self.microphone)
        if video:
            transceiver = self.connection.addTransceiver("video", direction="recvonly")
            capabilities = RTCRtpReceiver.getCapabilities("video")
            codecs = capabilities.codecs if capabilities else []
            transceiver.setCodecPreferences([one for one in codecs if codec.lower() in one.mimeType.lower()])
        await self.connection.setLocalDescription()
        offer = self.connection.localDescription.sdp
        if relay is not None:
            offer = relay.hide(offer)
        url = f"/api/sessions/{self.session['id']}/offer"
        response = await self._http.post(url, json={"sdp": offer, "type": "offer"}, headers=self.headers)
        if response.status_code == 200:
            answer = response.json()["data"]
            sdp = answer["sdp"] if relay is None else await relay.stand_between(answer["sdp"])
            await self.connection.setRemoteDescription(RTCSessionDescription(sdp, answer["type"]))
        return response

    def send(self, event: str, **data: object) -> None:
        """Send an event to the server."""
        self.channel.send(json.dumps({"type": event, **data}))

    async def event(self, kind: str, **fields: object) -> dict[str, Any]:
        """Wait for an event of this kind with these fields; it may have come already."""
        while True:
            for event in self.events:
                if event["type"] == kind and fields.items() <= event.items():
                    return event
            await self.news()

    async def until_audible(self, since: float = 0.0) -> float:
        """Wait until something is heard that came after `since`; returns when it came."""
        while True:
            for heard in self.heard:
                if heard.at > since and heard.level > AUDIBLE:
                    return heard.at
            await self.news()

    async def listen(self, seconds: float) -> None:
        """Let that much sound arrive."""
        until = (self.heard[-1].pts if self.heard else 0) + seconds * RATE
        while not self.heard or self.heard[-1].pts < until:
            await self.news()

    def last_audible(self) -> float | None:
        """When something was heard last."""
        return next((h.at for h in reversed(self.heard) if h.level > AUDIBLE), None)

    async def news(self) -> None:
        """Wait until something arrives."""
        self._news.clear()
        await self._news.wait()

    async def connected(self) -> None:
        """Wait until the media flows."""
        while self.connection.connectionState != "connected":
            await self.news()

    async def gone(self) -> None:
        """Wait until the server has ended the connection."""
        while self.connection.connectionState not in ("closed", "failed"):
            await self.news()

    async def close(self) -> None:
        """Go."""
        self.microphone.stop()
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _message(self, message: str) -> None:
        self.events.append(json.loads(message))
        self._news.set()

    def _track(self, track: MediaStreamTrack) -> None:
        receiver = next(r for r in self.connection.getReceivers() if r.track is track)
        self.wires[track.kind] = Wire(receiver, RATE if track.kind == "audio" else 90_000)
        work = self._listen(track) if track.kind == "audio" else self._look(track)
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    async def _listen(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                samples = (frame.to_ndarray().reshape(-1, 2)[:, 0] / 32768).astype(np.float32)
                level = float(np.sqrt(np.mean(samples**2)))
                self.heard.append(Heard(time.monotonic(), frame.pts or 0, level, samples))
                self._news.set()

    async def _look(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.VideoFrame)
                self.pictured_at.append(time.monotonic())
                if self.keeps_pictures:
                    pts = float((frame.pts or 0) * (frame.time_base or 0))
                    self.pictures.append((self.pictured_at[-1], pts, frame))
                self._news.set()


@asynccontextmanager
async def calling(
    url: str, agent: str = "demo", *, key: str = "", relay: Relay | None = None, video: bool = False, codec: str = ""
) -> AsyncIterator[WebRtcCaller]:
    """Ask the server at `url` for a session and join it; it is left at the end of the block."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=url, timeout=15) as http:
        response = await http.post("/api/sessions", json={"agentId": agent}, headers=headers)
        response.raise_for_status()
        caller = WebRtcCaller(response.json()["data"], http)
        try:
            answer = await caller.join(relay, video=video, codec=codec)
            answer.raise_for_status()
            yield caller
        finally:
            await caller.close()


class Relay:
    """A network between caller and server: two UDP sockets that lose and delay media, both ways.

    `loss`: share of the packets lost; `jitter`: each is delayed by up to this many seconds, of its own. `cut`: nothing
    at all gets through. The connection is made undisturbed.
    """

    def __init__(self, *, loss: float = 0.0, jitter: float = 0.0, seed: int = 1) -> None:
        self.loss = loss
        self.jitter = jitter
        self.cut = False
        self.lost = 0
        self.passed = 0
        self._random = random.Random(seed)
        self._caller: tuple[str, int] | None = None
        self._server: tuple[str, int] | None = None
        self._to_caller: asyncio.DatagramTransport | None = None
        self._to_server: asyncio.DatagramTransport | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    def hide(self, offer: str) -> str:
        """The offer without the caller's addresses: the server learns the relay's."""
        return re.sub(r"a=candidate:.*\r\n", "", offer)

    async def stand_between(self, answer: str) -> str:
        """The answer with the relay's address in place of the server's."""
        candidates = re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", answer)
        host, port = next((h, int(p)) for h, p in candidates if "." in h)
        self._server = (host, port)
        loop = asyncio.get_running_loop()
        self._to_server, _ = await loop.create_datagram_endpoint(lambda: _Side(self._from_server), local_addr=(host, 0))
        self._to_caller, _ = await loop.create_datagram_endpoint(lambda: _Side(self._from_caller), local_addr=(host, 0))
        own = self._to_caller.get_extra_info("sockname")[1]
        first = rf"\g<1>{host} {own}\g<2>"
        answer = re.sub(rf"(a=candidate:\S+ 1 udp \d+ ){re.escape(host)} {port}( typ host)", first, answer)
        kept = [
            line for line in answer.split("\r\n") if not line.startswith("a=candidate:") or f" {host} {own} " in line
        ]
        return "\r\n".join(kept)

    def close(self) -> None:
        """Take the network away."""
        for timer in self._timers:
            timer.cancel()
        for transport in (self._to_caller, self._to_server):
            if transport is not None:
                transport.close()

    def _from_caller(self, data: bytes, address: tuple[str, int]) -> None:
        self._caller = address
        self._pass(data, self._to_server, self._server)

    def _from_server(self, data: bytes, _address: tuple[str, int]) -> None:
        self._pass(data, self._to_caller, self._caller)

    def _pass(self, data: bytes, to: asyncio.DatagramTransport | None, address: tuple[str, int] | None) -> None:
        if to is None or address is None or self.cut:
            return
        media = 128 <= data[0] < 192
        if media and self._random.random() < self.loss:
            self.lost += 1
            return
        self.passed += media
        if not media or not self.jitter:
            to.sendto(data, address)
            return
        timer = asyncio.get_running_loop().call_later(self._random.uniform(0, self.jitter), to.sendto, data, address)
        self._timers = {t for t in self._timers if not t.cancelled() and t.when() > time.monotonic()} | {timer}


class _Side(asyncio.DatagramProtocol):
    def __init__(self, received: Any) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._received(data, addr)

    def error_received(self, exc: Exception) -> None:
        """The other side has gone: that is its own affair."""
