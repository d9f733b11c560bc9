"""A face and a recording become a video file: the live driver and renderer, unpaced and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import numpy.typing as npt
import soxr

from media.audio.frames import SPEECH_RATE, Samples
from media.avatar.audio_visemes.network import AudioVisemes
from media.avatar.driver import FaceDriver, Mood
from media.avatar.errors import SpeechUnreadable
from media.avatar.face import FaceState
from media.avatar.pack import SIDE, AvatarPack
from media.avatar.puppet.renderer import Puppet
from media.avatar.renderer import draw
from media.avatar.soundtrack import SOUND_RATE, FilmTrack, GrowingTrack, Speech
from media.avatar.visemes import MouthTrack
from media.files import appearing

FRAME_RATE = 25

_PLAYABLE = {"movflags": "faststart"}  # while it loads
# x264 refines the motion it finds once, not twice: a quarter less work for the same likeness (47.2 against 47.1 dB) and
# a file a quarter larger, of some 200 kbit/s.
_SEARCH = {"x264-params": "subme=1"}
_DRAWING = 2  # frames drawn at once, beside the encoder
_BT601, _BT709_PRIMARIES = 6, 1  # as ITU-T H.273 numbers them: how RGB became YUV here, and what the RGB was

I420 = npt.NDArray[np.uint8]
"""Shape [3/2 height, width]: Y, then U and V at half the size, BT.601, limited range."""


@dataclass(frozen=True, slots=True)
class Film:
    """What was written: seconds of sound, frames."""

    seconds: float
    frames: int


class Painter(Protocol):
    """Draws a film's frames; called from several threads at once. `width` and `height` are even."""

    @property
    def width(self) -> int:
        """Pixels."""
        ...

    @property
    def height(self) -> int:
        """Pixels."""
        ...

    def paint(self, face: FaceState) -> I420:
        """One frame."""
        ...


class PuppetPainter:
    """The avatar's own square, as live sessions see it."""

    width = height = SIDE

    def __init__(self, pack: AvatarPack) -> None:
        self._puppet = Puppet(pack)

    def paint(self, face: FaceState) -> I420:
        """See `Painter.paint`."""
        return draw(self._puppet, face).i420


def render_film(
    pack: AvatarPack, speech: Path, out: Path, network: AudioVisemes, *, seed: int = 0, threads: int = 0
) -> Film:
    """Write `out` (MP4: H.264 and AAC, 25 frames a second, playable while it loads) of the avatar speaking `speech`.

    The file appears when it is whole. `threads` for the encoder, 0: as many as there are cores. Raises
    `SpeechUnreadable`.
    """
    driver = FaceDriver(seed=seed)
    return write_film(PuppetPainter(pack), driver, Speech(speech), out, network, encoding=Encoding(threads=threads))


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a film is encoded: x264's preset and constant rate factor, threads (0: as many as there are cores)."""

    preset: str = "veryfast"
    quality: int = 20
    threads: int = 0


USUAL = Encoding()


def write_film(
    painter: Painter,
    driver: FaceDriver,
    speech: Speech,
    out: Path,
    network: AudioVisemes,
    *,
    encoding: Encoding = USUAL,
    on_frame: Callable[[int], None] | None = None,
) -> Film:
    """`render_film` for whatever paints. `on_frame` is told how many frames are drawn; what it raises ends the film.

    Nothing is left of a film that ended so. `driver` must be new.
    """
    with appearing(out) as scratch:
        return _write(painter, driver, speech, speech.mouth(network), _Target(scratch, encoding, on_frame))


def write_pictures(
    painter: Painter,
    driver: FaceDriver,
    track: GrowingTrack,
    out: Path,
    *,
    encoding: Encoding = USUAL,
    on_frame: Callable[[int], None] | None = None,
) -> int:
    """The pictures of a film whose speech is still being made (MP4 without sound, for `join`); returns how many.

    For the rest as `write_film`, with the same pictures. Raises `media.avatar.soundtrack.SpeechLost`.
    """
    with appearing(out) as scratch, av.open(str(scratch), "w", format="mp4") as container:
        pictures = _Pictures(container, painter.width, painter.height, encoding)
        with _drawing(painter, pictures, on_frame) as easel:
            _speak(driver, track)
            for end in track.ends():
                _draw_until(end, easel, driver)
        pictures.finish()
        return pictures.frames


def join(pictures: Path, speech: Speech, out: Path) -> None:
    """Write `out` as `write_film` does, of pictures that `write_pictures` wrote and their speech. Raises as it does."""
    with (
        appearing(out) as scratch,
        av.open(str(pictures), "r") as source,
        av.open(str(scratch), "w", format="mp4", options=_PLAYABLE) as container,
    ):
        drawn = source.streams.video[0]
        copied, sound = container.add_stream_from_template(drawn), _Sound(container)
        blocks = speech.blocks()
        for packet in source.demux(drawn):
            if packet.dts is None:  # the last one, which is empty
                continue
            while sound.seconds < packet.dts * packet.time_base and (block := next(blocks, None)) is not None:
                sound.hear(block)
            packet.stream = copied
            container.mux(packet)
        for block in blocks:
            sound.hear(block)
        sound.finish()


@dataclass(frozen=True, slots=True)
class _Target:
    path: Path
    encoding: Encoding
    on_frame: Callable[[int], None] | None


def _write(painter: Painter, driver: FaceDriver, speech: Speech, track: FilmTrack, target: _Target) -> Film:
    _speak(driver, track)
    ears = soxr.ResampleStream(SOUND_RATE, SPEECH_RATE, 1, dtype="float32", quality="HQ")
    with av.open(str(target.path), "w", format="mp4", options=_PLAYABLE) as container:
        pictures, voice = _Pictures(container, painter.width, painter.height, target.encoding), _Sound(container)
        heard = 0
        with _drawing(painter, pictures, target.on_frame) as easel:
            for sound in speech.blocks():
                heard += len(sound)
                track.hear(ears.resample_chunk(sound))
                voice.hear(sound)
                _draw_until(min(track.end, heard / SOUND_RATE), easel, driver)
                track.forget(easel.frames / FRAME_RATE)
            if not heard:
                raise SpeechUnreadable(f"{_name(speech)} holds no sound")
            track.hear(ears.resample_chunk(np.zeros(0, np.float32), last=True))
            track.finish()
            _draw_until(heard / SOUND_RATE, easel, driver)
        voice.finish()
        pictures.finish()
        return Film(heard / SOUND_RATE, pictures.frames)


def _name(speech: Speech) -> str:
    return str(speech.sound) if isinstance(speech.sound, Path) else "the speech"


def _speak(driver: FaceDriver, track: MouthTrack) -> None:
    driver.set_mood(Mood.SPEAKING, 0.0)
    driver.play(track, 0.0)


@contextmanager
def _drawing(painter: Painter, pictures: _Pictures, on_frame: Callable[[int], None] | None) -> Iterator[_Easel]:
    """Where frames are drawn; at the end of the block all have been handed on, or given up where it raises."""
    with ThreadPoolExecutor(_DRAWING, "drawing") as pool:
        easel = _Easel(pool, painter, pictures, on_frame)
        try:
            yield easel
            easel.finish()
        finally:
            easel.drop()


def _draw_until(end: float, easel: _Easel, driver: FaceDriver) -> None:
    """Draw the frames whose middle lies before `end`; one more would need sound that has not been heard."""
    while (at := (easel.frames + 0.5) / FRAME_RATE) < end:
        easel.draw(driver.state(at))


class _Easel:
    """Draws some frames ahead of the encoder, beside it, and hands them on in order."""

    def __init__(
        self, pool: ThreadPoolExecutor, painter: Painter, reel: _Pictures, on_frame: Callable[[int], None] | None
    ) -> None:
        self._pool, self._painter, self._reel, self._on_frame = pool, painter, reel, on_frame
        self._drawn: deque[Future[I420]] = deque()
        self.frames = 0

    def draw(self, face: FaceState) -> None:
        """Begin a frame; waits for the oldest when enough are begun."""
        if self._on_frame is not None:
            self._on_frame(self.frames)
        self._drawn.append(self._pool.submit(self._painter.paint, face))
        self.frames += 1
        while len(self._drawn) > 2 * _DRAWING:
            self._reel.show(self._drawn.popleft().result())

    def finish(self) -> None:
        """Hand on what is left."""
        while self._drawn:
            self._reel.show(self._drawn.popleft().result())

    def drop(self) -> None:
        """Give up what has not begun."""
        for frame in self._drawn:
            frame.cancel()
        self._drawn.clear()


class _Pictures:
    """The pictures of an MP4 file that is being written."""

    def __init__(self, container: av.container.OutputContainer, width: int, height: int, encoding: Encoding) -> None:
        self._container = container
        self.frames = 0
        self._video: av.VideoStream = container.add_stream("libx264", rate=FRAME_RATE)
        self._video.width, self._video.height = width, height
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = Fraction(1, FRAME_RATE)
        codec = self._video.codec_context
        codec.options = {"preset": encoding.preset, "crf": str(encoding.quality), "profile": "high", **_SEARCH}
        codec.thread_count = encoding.threads
        codec.colorspace, codec.color_primaries, codec.color_trc = _BT601, _BT709_PRIMARIES, _BT709_PRIMARIES

    def show(self, i420: npt.NDArray[np.uint8]) -> None:
        """Append a frame."""
        frame = av.VideoFrame.from_ndarray(i420, "yuv420p")
        frame.pts = self.frames
        frame.time_base = Fraction(1, FRAME_RATE)
        self.frames += 1
        self._container.mux(self._video.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._video.encode(None))


class _Sound:
    """The sound of an MP4 file that is being written."""

    def __init__(self, container: av.container.OutputContainer) -> None:
        self._container = container
        self._audio: av.AudioStream = container.add_stream("aac", rate=SOUND_RATE)
        self._audio.codec_context.layout = "mono"
        self._heard = 0

    @property
    def seconds(self) -> float:
        """How much there is."""
        return self._heard / SOUND_RATE

    def hear(self, sound: Samples) -> None:
        """Append sound, 48 kHz."""
        if not len(sound):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None]), "fltp", "mono")
        frame.sample_rate = SOUND_RATE
        frame.pts = self._heard
        frame.time_base = Fraction(1, SOUND_RATE)
        self._heard += len(sound)
        self._container.mux(self._audio.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._audio.encode(None))
