"""Opus in and out through libopus itself: PyAV decodes Opus, but reaches neither its error correction nor its
concealment, which is what a lossy network needs. PyAV's wheels carry the library; it is called directly here.

Sources: RFC 6716 (the codec), RFC 7587 (its RTP payload).
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache
from pathlib import Path
from typing import Final

import av
import numpy as np

from media.audio.frames import Samples

CLOCK_RATE: Final = 48_000
"""RTP timestamps of Opus count at this rate, whatever is coded (RFC 7587, section 4.1)."""
RATES: Final = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Rates in Hz that the codec takes and gives."""
STEP: Final = 120
"""The codec's shortest frame, 2.5 ms, in ticks of the clock rate: concealment comes in multiples of it."""
LONGEST: Final = 5_760
"""Ticks of the longest packet, 120 ms."""

_MAX_PACKET: Final = 1_275 * 3
_VOIP: Final = 2048
_SET_BITRATE: Final = 4002
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS: Final = 4014
_SET_SIGNAL: Final = 4024
_SIGNAL_VOICE: Final = 3001

_SILK_FRAMES: Final = (480, 960, 1920, 2880)
_HYBRID_FRAMES: Final = (480, 960)
_CELT_FRAMES: Final = (120, 240, 480, 960)


class OpusError(Exception):
    """A packet is malformed, or libopus cannot be used; the text says which."""


def packet_duration(payload: bytes) -> int:
    """Ticks of the clock rate that a packet lasts, 120 to 5760 (RFC 6716, section 3). Raises `OpusError`."""
    if not payload:
        raise OpusError("an Opus packet has at least one byte")
    configuration, code = payload[0] >> 3, payload[0] & 3
    if configuration < 12:
        frame = _SILK_FRAMES[configuration & 3]
    elif configuration < 16:
        frame = _HYBRID_FRAMES[configuration & 1]
    else:
        frame = _CELT_FRAMES[configuration & 3]
    if code == 3 and len(payload) < 2:
        raise OpusError("an Opus packet of several frames has a count byte")
    count = (1, 2, 2)[code] if code < 3 else payload[1] & 0x3F
    if not 0 < frame * count <= LONGEST:
        raise OpusError(f"an Opus packet lasts at most 120 ms; this one says {count} frames of {frame // 48} ms")
    return frame * count


class OpusDecoder:
    """One mono stream. Packets, recoveries and concealments are given in the order of the stream.

    Not thread-safe; a call takes well under a millisecond.
    """

    def __init__(self, rate: int) -> None:
        if rate not in RATES:
            raise ValueError(f"Opus decodes to {', '.join(map(str, RATES))} Hz, not {rate}")
        self.rate = rate
        self._library = _library()
        self._state = ctypes.create_string_buffer(self._library.opus_decoder_get_size(1))
        _check(self._library.opus_decoder_init(self._state, rate, 1), "the decoder was refused")
        self._pcm = np.zeros(LONGEST * rate // CLOCK_RATE, np.float32)

    def decode(self, payload: bytes) -> Samples:
        """The samples of a packet. Raises `OpusError` for one that is malformed."""
        return self._run(payload, packet_duration(payload), recover=False)

    def recover(self, following: bytes, ticks: int) -> Samples:
        """The `ticks` before a packet from the copy that it may carry of what preceded it; else they are concealed.

        The packet itself is to be decoded next. `ticks` is a multiple of 120, at most 5760. Raises `OpusError`.
        """
        return self._run(following, ticks, recover=True)

    def conceal(self, ticks: int) -> Samples:
        """A plausible continuation for `ticks` that are lost (a multiple of 120, at most 5760), ever quieter."""
        return self._run(None, ticks, recover=False)

    def _run(self, payload: bytes | None, ticks: int, *, recover: bool) -> Samples:
        if ticks % STEP or not 0 < ticks <= LONGEST:
            raise ValueError(f"{ticks} ticks are no multiple of {STEP} up to {LONGEST}")
        count = self._library.opus_decode_float(
            self._state,
            payload,
            len(payload) if payload else 0,
            self._pcm.ctypes.data,
            ticks * self.rate // CLOCK_RATE,
            recover,
        )
        _check(count, "the packet cannot be decoded")
        return self._pcm[:count].copy()


class OpusEncoder:
    """One mono stream of speech with in-band error correction for a network that loses `loss` percent.

    `rate`: of the samples, one of `RATES`. `bitrate`: bits per second, 6000 to 128000. `complexity`: 0 to 10.
    Not thread-safe; a frame of 20 ms takes well under a millisecond.
    """

    def __init__(self, rate: int, *, bitrate: int = 32_000, loss: int = 10, complexity: int = 5) -> None:
        if rate not in RATES:
            raise ValueError(f"Opus encodes {', '.join(map(str, RATES))} Hz, not {rate}")
        self.rate = rate
        self._library = _library()
        self._state = ctypes.create_string_buffer(self._library.opus_encoder_get_size(1))
        _check(self._library.opus_encoder_init(self._state, rate, 1, _VOIP), "the encoder was refused")
        for request, value in (
            (_SET_BITRATE, bitrate),
            (_SET_COMPLEXITY, complexity),
            (_SET_INBAND_FEC, 1),
            (_SET_PACKET_LOSS, loss),
            (_SET_SIGNAL, _SIGNAL_VOICE),
        ):
            _check(self._library.opus_encoder_ctl(self._state, request, ctypes.c_int(value)), f"setting {request}")
        self._packet = ctypes.create_string_buffer(_MAX_PACKET)

    def encode(self, samples: Samples) -> bytes:
        """A packet of exactly these samples: 2.5, 5, 10, 20, 40 or 60 ms of them. Raises `OpusError`."""
        pcm = np.ascontiguousarray(samples, np.float32)
        size = self._library.opus_encode_float(self._state, pcm.ctypes.data, len(pcm), self._packet, _MAX_PACKET)
        _check(size, f"{len(pcm)} samples at {self.rate} Hz cannot be encoded")
        return self._packet.raw[:size]


def _check(result: int, message: str) -> None:
    if result < 0:
        reason = _library().opus_strerror(result).decode("ascii", "replace")
        raise OpusError(f"{message}: {reason}")


@cache
def _library() -> ctypes.PyDLL:
    """PyAV's own libopus, else the system's. Raises `OpusError`.

    Loaded so that calls keep the interpreter's lock: they are so short that giving it away, and waiting for a busy
    thread to give it back, would take longer than the call.
    """
    package = Path(av.__file__).parent
    bundled = [*package.parent.glob("av.libs/*opus*"), *package.glob(".dylibs/*opus*")]
    candidates = [*map(str, sorted(bundled)), ctypes.util.find_library("opus")]
    for candidate in filter(None, candidates):
        try:
            return _declare(ctypes.PyDLL(candidate))
        except (OSError, AttributeError):
            continue
    raise OpusError("libopus was not found: install PyAV from its wheel (pip install av), or the system's libopus")


def _declare(library: ctypes.PyDLL) -> ctypes.PyDLL:
    pointer, number = ctypes.c_void_p, ctypes.c_int32
    signatures = {
        "opus_strerror": (ctypes.c_char_p, [number]),
        "opus_decoder_get_size": (number, [number]),
        "opus_decoder_init": (number, [pointer, number, number]),
        "opus_decode_float": (number, [pointer, ctypes.c_char_p, number, pointer, number, number]),
        "opus_encoder_get_size": (number, [number]),
        "opus_encoder_init": (number, [pointer, number, number, number]),
        "opus_encoder_ctl": (number, [pointer, number]),  # what follows is variadic
        "opus_encode_float": (number, [pointer, pointer, number, pointer, number]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
