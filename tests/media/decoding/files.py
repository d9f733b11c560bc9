"""Pictures, sounds and videos made for the tests, whole and hostile."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

SOUND_CODERS = {
    "wav": "pcm_s16le",
    "mp3": "libmp3lame",
    "flac": "flac",
    "ogg": "libopus",
    "mp4": "aac",
    "webm": "libopus",
    "adts": "aac",
    "aiff": "pcm_s16be",
}


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def half_red() -> Image.Image:
    """60×40, red on the left, blue on the right."""
    image = Image.new("RGB", (60, 40), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 30, 40))
    return image


def tone(seconds: float, rate: int = 16_000) -> npt.NDArray[np.int16]:
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def sound(form: str = "wav", *, seconds: float = 2.0, rate: int = 16_000) -> bytes:
    """A tone of 440 Hz, of a quarter of full scale."""
    rate = 48_000 if SOUND_CODERS[form] == "libopus" else rate
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(SOUND_CODERS[form], rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        samples = tone(seconds, rate)
        for begin in range(0, len(samples), 960):
            frame = av.AudioFrame.from_ndarray(samples[None, begin : begin + 960], "s16", "mono")
            frame.rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
            for piece in resampler.resample(frame):
                container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def video(*, width: int = 64, height: int = 48, frames: int = 50, form: str = "mp4", with_sound: bool = False) -> bytes:
    """A grey picture that brightens by five levels a frame, 25 a second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream("mpeg4" if form == "mp4" else "libvpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        heard = container.add_stream("aac", rate=16_000, layout="mono") if with_sound else None
        for k in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), min(5 * k, 250), np.uint8), "rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if heard is not None:
            samples = tone(frames / 25).astype(np.float32)[None] / 32768
            for begin in range(0, samples.shape[1] - 1023, 1024):
                piece = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(samples[:, begin : begin + 1024]), "fltp", "mono"
                )
                piece.rate, piece.pts, piece.time_base = 16_000, begin, Fraction(1, 16_000)
                container.mux(heard.encode(piece))
            container.mux(heard.encode(None))
    return buffer.getvalue()


def png_bomb(width: int, height: int) -> bytes:
    """A PNG that claims so many pixels and has the data of next to none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def endless_wav(seconds: float, *, rate: int = 8000) -> bytes:
    """A WAV as programs write it to a pipe: its lengths are unknown, and it goes on and on."""
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return head + struct.pack("<4sI", b"data", 0xFFFFFFFF) + bytes(int(seconds * rate) * 2)
