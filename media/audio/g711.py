"""G.711: the two 8-bit codes of the telephone network, μ-law and A-law (ITU-T G.711, 8 kHz).

Both directions are table look-ups. The tables follow the recommendation's reference code (ITU-T G.191,
`ulaw_compress` and `alaw_compress`): 16-bit samples, the magnitude of a negative sample taken as its one's
complement, so that the two halves of the scale are mirror images without a shared zero.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from media.audio.frames import Samples, to_int16

Pcm16: TypeAlias = npt.NDArray[np.int16]
"""Mono audio, shape [n], 16-bit PCM."""

PHONE_RATE = 8_000
"""Sample rate in Hz of the telephone network."""

ULAW_SILENCE = 0xFF
"""The μ-law code of zero."""

ALAW_SILENCE = 0xD5
"""The A-law code of the smallest positive value, which is what A-law has for zero."""

_ULAW_BIAS = 33  # makes every segment of the 14-bit scale begin at a power of two
_ULAW_CLIP = 0x1FFF
_ALAW_EVEN_BITS = 0x55  # every second bit travels inverted, so that silence is no long run of zeros


def _ulaw_decoding() -> Pcm16:
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    segment, step = (codes >> 4) & 7, codes & 0x0F
    magnitude = (((2 * step + _ULAW_BIAS) << segment) - _ULAW_BIAS) << 2
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


def _ulaw_encoding() -> npt.NDArray[np.uint8]:
    pcm = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum((np.where(pcm < 0, ~pcm, pcm) >> 2) + _ULAW_BIAS, _ULAW_CLIP)
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    step = (magnitude >> (segment + 1)) & 0x0F
    codes: npt.NDArray[np.uint8] = (~(np.where(pcm < 0, 0x80, 0) | segment << 4 | step) & 0xFF).astype(np.uint8)
    return codes


def _alaw_decoding() -> Pcm16:
    codes = np.arange(256, dtype=np.int32) ^ _ALAW_EVEN_BITS
    segment, step = (codes >> 4) & 7, codes & 0x0F
    linear = 2 * step + 1  # the first two segments share one step size
    magnitude = np.where(segment == 0, linear, (linear + 32) << np.maximum(segment - 1, 0)) << 3
    return np.where(codes & 0x80, magnitude, -magnitude).astype(np.int16)


def _alaw_encoding() -> npt.NDArray[np.uint8]:
    pcm = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(pcm < 0, ~pcm, pcm) >> 4
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 3, 1)
    step = magnitude >> (segment - 1)
    code = np.where(magnitude < 16, magnitude, ((segment - 1) << 4) + step)
    return ((np.where(pcm < 0, 0, 0x80) | code) ^ _ALAW_EVEN_BITS).astype(np.uint8)


_ULAW_TO_PCM = _ulaw_decoding()
_PCM_TO_ULAW = _ulaw_encoding()
_ALAW_TO_PCM = _alaw_decoding()
_PCM_TO_ALAW = _alaw_encoding()
_ULAW_TO_SAMPLES: Samples = (_ULAW_TO_PCM / np.float32(32768.0)).astype(np.float32)


def decode_ulaw(codes: bytes) -> Pcm16:
    """The samples of μ-law codes, one a byte: 16-bit PCM in [-32124, 32124]."""
    return _ULAW_TO_PCM[np.frombuffer(codes, np.uint8)]


def encode_ulaw(pcm: Pcm16) -> bytes:
    """μ-law codes of 16-bit PCM, one byte a sample."""
    return _PCM_TO_ULAW[pcm.view(np.uint16)].tobytes()


def decode_alaw(codes: bytes) -> Pcm16:
    """The samples of A-law codes, one a byte: 16-bit PCM in [-32256, 32256], never 0."""
    return _ALAW_TO_PCM[np.frombuffer(codes, np.uint8)]


def encode_alaw(pcm: Pcm16) -> bytes:
    """A-law codes of 16-bit PCM, one byte a sample."""
    return _PCM_TO_ALAW[pcm.view(np.uint16)].tobytes()


def ulaw_to_samples(codes: bytes) -> Samples:
    """The samples of μ-law codes as floats in [-1, 1)."""
    return _ULAW_TO_SAMPLES[np.frombuffer(codes, np.uint8)]


def samples_to_ulaw(samples: Samples) -> bytes:
    """μ-law codes of float samples; values outside [-1, 1] are clipped."""
    return encode_ulaw(to_int16(samples))
