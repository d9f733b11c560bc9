"""Video encoders in place of aiortc's: the same packets, a steadier picture, less work.

aiortc makes a new encoder, and so a coarse key frame, whenever the receiver's estimate of its bandwidth moves by a
tenth, which it does every second or two: still backgrounds flash. Ours goes down a step when we send more than the
receiver can take, and up again after a while; its key frames are not coarser than the rest, and it leaves out the
denoiser (a drawn face has no noise) and x264's slow preset.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av
from aiortc import RTCRtpSender
from aiortc.codecs.base import Encoder
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.mediastreams import VIDEO_TIME_BASE, convert_timebase
from av.frame import Frame
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

STEPS: Final = (250_000, 400_000, 600_000)
"""Bits a second that are aimed at; more does not show on a face of 512×512."""
_COARSEST: Final = dict(zip(STEPS, (52, 42, 34), strict=True))
"""VP8's quantizer (to 63) that is not exceeded: coarse pictures only where there is no room for better ones."""
_WINDOW: Final = 2.0
"""Seconds over which it is reckoned what is really sent."""
_SETTLED: Final = 8.0
"""Seconds for which there must have been room before more is sent."""
_TIGHT, _ROOMY = 1.05, 1.3
"""An estimate below this share of what is sent is congestion; above, there is room.

It tells nothing in itself: receivers do not guess far beyond what comes, and a still face needs less than is aimed at.
"""


class BitrateSteps:
    """What to aim at, from what is sent and what the receiver says it can take. Pure.

    Times are seconds of any clock that does not run backwards.
    """

    def __init__(self) -> None:
        self._step = len(STEPS) - 1
        self._room_since: float | None = None
        self._window_from: float | None = None
        self._bits = 0
        self._sent = 0.0

    def sent(self, now: float, size: int) -> None:
        """So many bytes were sent."""
        if self._window_from is None:
            self._window_from = now
        self._bits += 8 * size
        if now - self._window_from >= _WINDOW:
            self._sent = self._bits / (now - self._window_from)
            self._window_from, self._bits = now, 0

    def bitrate(self, now: float, estimate: int | None) -> int:
        """Bits a second to aim at, given the latest estimate (None: there is none yet)."""
        if estimate is None or not self._sent:
            return STEPS[self._step]
        if estimate < STEPS[self._step] and estimate < _TIGHT * self._sent:
            self._step = max([step for step, rate in enumerate(STEPS) if rate <= estimate], default=0)
            self._room_since = None
        elif self._step == len(STEPS) - 1 or estimate < _ROOMY * self._sent:
            self._room_since = None
        elif self._room_since is None:
            self._room_since = now
        elif now - self._room_since >= _SETTLED:
            self._step, self._room_since = self._step + 1, None
        return STEPS[self._step]


class _Steady:
    """What both encoders share: one codec context for a size and a bitrate."""

    codec: VideoCodecContext | None

    def __init__(self) -> None:
        super().__init__()
        self._estimate: int | None = None
        self._steps = BitrateSteps()

    @property
    def target_bitrate(self) -> int:
        """Bits a second, as aiortc sets it: the receiver's estimate."""
        return self._estimate or STEPS[-1]

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._estimate = bitrate

    def _encoded(self, frame: av.VideoFrame, *, key: bool) -> bytes:
        if frame.format.name != "yuv420p":
            frame = frame.reformat(format="yuv420p")
        now = float((frame.pts or 0) * (frame.time_base or 0))
        bitrate = self._steps.bitrate(now, self._estimate)
        codec = self.codec
        if codec is None or (codec.width, codec.height, codec.bit_rate) != (frame.width, frame.height, bitrate):
            codec = self.codec = self._opened(frame.width, frame.height, bitrate)
        frame.pict_type = PictureType.I if key else PictureType.NONE
        data = b"".join(bytes(packet) for packet in codec.encode(frame))
        self._steps.sent(now, len(data))
        return data

    def _opened(self, width: int, height: int, bitrate: int) -> VideoCodecContext:
        raise NotImplementedError

    @staticmethod
    def _context(name: str, width: int, height: int, bitrate: int) -> VideoCodecContext:
        codec: Any = av.CodecContext.create(name, "w")
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.bit_rate = bitrate
        codec.time_base, codec.framerate = VIDEO_TIME_BASE, Fraction(25, 1)
        codec.gop_size = 3000  # key frames are sent when they are asked for
        codec.thread_count = 1  # a frame takes 2 ms; threads would be in other sessions' way
        steady: VideoCodecContext = codec
        return steady


class SteadyVp8Encoder(_Steady, Vp8Encoder):
    """VP8 (RFC 7741)."""

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """Payloads of a frame, and its time at 90 kHz."""
        assert isinstance(frame, av.VideoFrame)  # noqa: S101 - aiortc gives a video track's frames to it
        payloads = self._packetize(self._encoded(frame, key=force_keyframe), self.picture_id)
        self.picture_id = (self.picture_id + 1) % (1 << 15)
        return payloads, _ticks(frame)

    def _opened(self, width: int, height: int, bitrate: int) -> VideoCodecContext:
        codec = self._context("libvpx", width, height, bitrate)
        codec.qmin = 2
        codec.qmax = _COARSEST[bitrate]
        codec.options = {
            "bufsize": str(bitrate),
            "cpu-used": "-8",
            "deadline": "realtime",
            "lag-in-frames": "0",
            "minrate": str(bitrate),
            "maxrate": str(bitrate),
            "overshoot-pct": "15",
            "undershoot-pct": "100",
            "static-thresh": "1",
        }
        return codec


class SteadyH264Encoder(_Steady, H264Encoder):
    """H.264 baseline, packetization mode 1 (RFC 6184)."""

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """Payloads of a frame, and its time at 90 kHz."""
        assert isinstance(frame, av.VideoFrame)  # noqa: S101 - as above
        units = self._split_bitstream(self._encoded(frame, key=force_keyframe))
        return self._packetize(units), _ticks(frame)

    def _opened(self, width: int, height: int, bitrate: int) -> VideoCodecContext:
        codec = self._context("libx264", width, height, bitrate)
        codec.profile = "Baseline"
        codec.options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "level": "31",
            "forced-idr": "1",  # a receiver that lost something cannot begin at any other key frame
            "sc_threshold": "0",
            "maxrate": str(bitrate * 3 // 2),
            "bufsize": str(bitrate),
        }
        return codec


def _ticks(frame: Frame) -> int:
    return convert_timebase(frame.pts or 0, frame.time_base or VIDEO_TIME_BASE, VIDEO_TIME_BASE)


def encode_steadily(sender: RTCRtpSender, mime_type: str) -> None:
    """Give a sender of video that has not begun our encoder for this codec; any other codec keeps aiortc's."""
    kinds: dict[str, type[Encoder]] = {"video/vp8": SteadyVp8Encoder, "video/h264": SteadyH264Encoder}
    attribute, kind = "_RTCRtpSender__encoder", kinds.get(mime_type.lower())
    if not hasattr(sender, attribute):
        raise RuntimeError("aiortc keeps its encoder elsewhere in this version: server/browser/encoders.py must follow")
    if kind is not None:
        setattr(sender, attribute, kind())
