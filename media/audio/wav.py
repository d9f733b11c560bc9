"""WAV files: 8, 16, 24 and 32-bit PCM, 32 and 64-bit float, A-law and μ-law, any rate and number of channels.

Read by a parser of our own: Python's `wave` refuses all but PCM and tells little of what is wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from media.audio.frames import AudioFrame, Samples, from_int16, to_int16
from media.audio.g711 import decode_alaw, ulaw_to_samples
from media.audio.resample import resample

MAX_BYTES = 512 * 1024 * 1024
"""Larger files are refused: they are read into memory whole."""

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # what programs that write to a pipe leave in the header
_LOWEST_RATE, _HIGHEST_RATE = 4_000, 384_000


HEADER_BYTES = 44
"""Length of the shortest beginning that `wav_header` makes."""


class WavError(Exception):
    """A file that is not a WAV file we can read; the text names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class _Format:
    code: int
    channels: int
    rate: int
    bits: int

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8


def read_wav(path: Path, *, rate: int | None = None) -> AudioFrame:
    """A WAV file as one mono frame at index 0, channels averaged, at its own rate or converted to `rate`.

    Raises `WavError`.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WavError(f"{path}: larger than {MAX_BYTES // 1024**2} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise WavError(f"{path}: {error.strerror or error}") from error
    return decode_wav(data, name=str(path), rate=rate)


def decode_wav(data: bytes, *, name: str = "audio", rate: int | None = None) -> AudioFrame:
    """The bytes of a WAV file as one mono frame at index 0; `name` is what errors call it. Raises `WavError`."""
    try:
        form, payload = _parse(data)
        samples = _mono(form, payload)
    except WavError as error:
        raise WavError(f"{name}: {error}") from None
    if rate is not None and rate != form.rate:
        return AudioFrame(resample(samples, form.rate, rate), rate, 0)
    return AudioFrame(samples, form.rate, 0)


def write_wav(path: Path, samples: Samples, rate: int) -> None:
    """Write mono samples as 16-bit PCM; values outside [-1, 1] are clipped."""
    path.write_bytes(encode_wav(samples, rate))


def encode_wav(samples: Samples, rate: int) -> bytes:
    """Mono samples as the bytes of a 16-bit PCM WAV file; values outside [-1, 1] are clipped."""
    payload = to_int16(samples).astype("<i2").tobytes()
    return wav_header(len(samples), rate) + payload


def wav_header(frames: int, rate: int, channels: int = 1, extra: bytes = b"") -> bytes:
    """The beginning of a 16-bit PCM WAV file of so many frames, which follow it interleaved.

    `extra`: whole chunks before them, which readers that do not know them pass over; they add to `HEADER_BYTES`.
    """
    size = frames * channels * 2
    form = struct.pack("<HHIIHH", _PCM, channels, rate, rate * channels * 2, channels * 2, 16)
    header = struct.pack("<4sI4s4sI", b"RIFF", 36 + len(extra) + size, b"WAVE", b"fmt ", len(form))
    return header + form + extra + struct.pack("<4sI", b"data", size)


def _parse(data: bytes) -> tuple[_Format, bytes]:
    if not data:
        raise WavError("the file is empty")
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise WavError(f"not a WAV file, it begins with {data[:12]!r}")
    form = None
    for kind, body, missing in _chunks(data):
        if kind == b"fmt ":
            form = _format(body)
        elif kind == b"data":
            if form is None:
                raise WavError("its samples come before their format")
            if missing:
                raise WavError(f"cut short: {missing} of {len(body) + missing} bytes of samples are missing")
            if len(body) < form.frame_bytes:
                raise WavError("it holds no samples")
            return form, body
    raise WavError("no format in its header" if form is None else "it holds no samples")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Each chunk's name, body, and how many bytes of it are missing."""
    offset = 12
    while offset + 8 <= len(data):
        kind = data[offset : offset + 4]
        (size,) = struct.unpack_from("<I", data, offset + 4)
        rest = len(data) - offset - 8
        if kind == b"data" and size in _UNKNOWN_SIZES:
            size = rest
        yield kind, data[offset + 8 : offset + 8 + size], max(0, size - rest)
        offset += 8 + size + size % 2


def _format(body: bytes) -> _Format:
    if len(body) < 16:
        raise WavError("the format in its header is cut short")
    code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE and len(body) >= 26:
        (code,) = struct.unpack_from("<H", body, 24)
    if channels == 0:
        raise WavError("its header says that it has no channels")
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise WavError(f"its sample rate is {rate} Hz")
    sizes = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), _ALAW: (8,), _ULAW: (8,)}
    if bits not in sizes.get(code, ()):
        raise WavError(f"samples of format {code} with {bits} bits cannot be read, save it as 16-bit PCM")
    return _Format(code, channels, rate, bits)


def _mono(form: _Format, payload: bytes) -> Samples:
    whole = len(payload) - len(payload) % form.frame_bytes
    samples = _samples(form, payload[:whole])
    if not np.isfinite(samples).all():
        raise WavError("some of its samples are not numbers")
    mono: Samples = samples.reshape(-1, form.channels).mean(axis=1, dtype=np.float32)
    return np.clip(mono, -1.0, 1.0)


def _samples(form: _Format, payload: bytes) -> npt.NDArray[np.float32]:
    if form.code == _ULAW:
        return ulaw_to_samples(payload)
    if form.code == _ALAW:
        return from_int16(decode_alaw(payload))
    if form.code == _FLOAT:
        floats = np.frombuffer(payload, f"<f{form.bits // 8}")
        return np.where(np.abs(floats) < 1e6, floats, np.nan).astype(np.float32)
    if form.bits == 8:
        return (np.frombuffer(payload, np.uint8).astype(np.float32) - 128.0) / np.float32(128.0)
    if form.bits == 24:
        wide = np.zeros((len(payload) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(payload, np.uint8).reshape(-1, 3)
        return (wide.reshape(-1).view("<i4") / 2.0**31).astype(np.float32)
    return (np.frombuffer(payload, f"<i{form.bits // 8}") / 2.0 ** (form.bits - 1)).astype(np.float32)
