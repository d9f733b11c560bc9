"""A portrait and a recording become a video file: the live driver and renderer, unpaced and in bounded memory."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from media.audio.frames import SPEECH_RATE, Samples
from media.avatar.audio_visemes.features import STEPS_PER_SECOND
from media.avatar.audio_visemes.network import AudioVisemes, AudioVisemeStream, emphasis_of
from media.avatar.driver import FaceDriver, Mood
from media.avatar.errors import SpeechUnreadable
from media.avatar.face import MOUTH_SHAPES, FaceState, MouthWeights
from media.avatar.pack import SIDE, AvatarPack
from media.avatar.puppet.renderer import Puppet
from media.avatar.renderer import Frame, draw

FRAME_RATE = 25
SOUND_RATE = 48_000

_DRAWING = 2  # frames drawn at once, beside the encoder
_BLOCK = SPEECH_RATE  # samples of speech heard at a time
_FORMATS = ("wav", "flac", "ogg", "mp3", "mov", "matroska", "aac")
_LONGEST = 4 * 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class Film:
    """What was written: seconds of sound, frames."""

    seconds: float
    frames: int


class HeardTrack:
    """A mouth track over speech that is still being heard; keeps only what is needed around the present."""

    def __init__(self, network: AudioVisemes) -> None:
        self._stream = AudioVisemeStream(network)
        self._weights: npt.NDArray[np.float32] = np.zeros((0, MOUTH_SHAPES), np.float32)
        self._first = 0

    @property
    def end(self) -> float:
        """Up to where the mouth is known, in seconds."""
        return (self._first + len(self._weights)) / STEPS_PER_SECOND

    def hear(self, samples: Samples) -> None:
        """Append speech, 16 kHz."""
        self._append(self._stream.feed(samples))

    def finish(self) -> None:
        """Nothing more follows."""
        self._append(self._stream.finish())

    def forget(self, before: float) -> None:
        """Drop what lies more than a second before this instant."""
        drop = int((before - 1.0) * STEPS_PER_SECOND) - self._first
        if drop > 0:
            self._weights = self._weights[drop:]
            self._first += drop

    def mouth(self, at: float) -> MouthWeights:
        """The mouth at an instant, at rest outside of what is known."""
        place = at * STEPS_PER_SECOND - self._first
        index = int(np.floor(place))
        if index < 0 or index + 1 >= len(self._weights):
            return np.zeros(MOUTH_SHAPES, np.float32)
        part = np.float32(place - index)
        return np.asarray(self._weights[index] * (1 - part) + self._weights[index + 1] * part, np.float32)

    def emphasis(self, at: float) -> float:
        """How much the voice leans on this instant, 0 to 1."""
        index = int(at * STEPS_PER_SECOND) - self._first
        around = self._weights[max(0, index - STEPS_PER_SECOND // 5) : index + STEPS_PER_SECOND // 5 + 1]
        return float(emphasis_of(around)[len(around) // 2]) if len(around) else 0.0

    def _append(self, weights: npt.NDArray[np.float32]) -> None:
        self._weights = np.concatenate([self._weights, weights])


def render_film(
    pack: AvatarPack, speech: Path, out: Path, network: AudioVisemes, *, seed: int = 0, threads: int = 0
) -> Film:
    """Write `out` (MP4: H.264 and AAC, 25 frames a second, playable while it loads) of the avatar speaking `speech`.

    The file appears when it is whole. `threads` for the encoder, 0: as many as there are cores. Raises
    `SpeechUnreadable`.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{out.stem}.", suffix=".mp4", dir=out.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        film = _write(Puppet(pack), HeardTrack(network), FaceDriver(seed=seed), speech, _Target(scratch, threads))
        scratch.chmod(0o644)
        scratch.replace(out)
    finally:
        with contextlib.suppress(FileNotFoundError):
            scratch.unlink()
    return film


@dataclass(frozen=True, slots=True)
class _Target:
    path: Path
    threads: int


def _write(puppet: Puppet, track: HeardTrack, driver: FaceDriver, speech: Path, target: _Target) -> Film:
    driver.set_mood(Mood.SPEAKING, 0.0)
    driver.play(track, 0.0)
    with (
        ThreadPoolExecutor(_DRAWING, "drawing") as pool,
        av.open(str(target.path), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        reel = _Reel(container, target.threads)
        easel = _Easel(pool, puppet, reel)
        heard = 0
        for sound in decode_speech(speech):
            heard += len(sound)
            track.hear(sound)
            reel.hear(sound)
            _draw_until(track.end, easel, driver, track)
        if not heard:
            raise SpeechUnreadable(f"{speech} holds no sound")
        track.finish()
        _draw_until(heard / SPEECH_RATE, easel, driver, track)
        easel.finish()
        reel.finish()
        return Film(heard / SPEECH_RATE, reel.frames)


def _draw_until(end: float, easel: _Easel, driver: FaceDriver, track: HeardTrack) -> None:
    """Draw the frames whose middle lies before `end`; one more would need sound that has not been heard."""
    while (at := (easel.frames + 0.5) / FRAME_RATE) < end:
        easel.draw(driver.state(at))
    track.forget(easel.frames / FRAME_RATE)


class _Easel:
    """Draws some frames ahead of the encoder, beside it, and hands them on in order."""

    def __init__(self, pool: ThreadPoolExecutor, puppet: Puppet, reel: _Reel) -> None:
        self._pool, self._puppet, self._reel = pool, puppet, reel
        self._drawn: deque[Future[Frame]] = deque()
        self.frames = 0

    def draw(self, face: FaceState) -> None:
        """Begin a frame; waits for the oldest when enough are begun."""
        self._drawn.append(self._pool.submit(draw, self._puppet, face))
        self.frames += 1
        while len(self._drawn) > 2 * _DRAWING:
            self._reel.show(self._drawn.popleft().result().i420)

    def finish(self) -> None:
        """Hand on what is left."""
        while self._drawn:
            self._reel.show(self._drawn.popleft().result().i420)


class _Reel:
    """The streams of an MP4 file that is being written."""

    def __init__(self, container: av.container.OutputContainer, threads: int) -> None:
        self._container = container
        self.frames = 0
        self._video: av.VideoStream = container.add_stream("libx264", rate=FRAME_RATE)
        self._video.width = self._video.height = SIDE
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = Fraction(1, FRAME_RATE)
        self._video.codec_context.options = {"preset": "veryfast", "crf": "20", "profile": "high"}
        self._video.codec_context.thread_count = threads
        self._audio: av.AudioStream = container.add_stream("aac", rate=SOUND_RATE)
        self._audio.codec_context.layout = "mono"
        self._resampler = av.AudioResampler("fltp", "mono", SOUND_RATE)
        self._heard = 0

    def hear(self, sound: Samples) -> None:
        """Append sound, 16 kHz."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None]), "fltp", "mono")
        frame.sample_rate = SPEECH_RATE
        frame.pts = self._heard
        frame.time_base = Fraction(1, SPEECH_RATE)
        self._heard += len(sound)
        for resampled in self._resampler.resample(frame):
            self._container.mux(self._audio.encode(resampled))

    def show(self, i420: npt.NDArray[np.uint8]) -> None:
        """Append a frame."""
        frame = av.VideoFrame.from_ndarray(i420, "yuv420p")
        frame.pts = self.frames
        frame.time_base = Fraction(1, FRAME_RATE)
        self.frames += 1
        self._container.mux(self._video.encode(frame))

    def finish(self) -> None:
        """Write what the encoders still hold."""
        for resampled in self._resampler.resample(None):
            self._container.mux(self._audio.encode(resampled))
        self._container.mux(self._audio.encode(None))
        self._container.mux(self._video.encode(None))


def decode_speech(path: Path) -> Iterator[Samples]:
    """A sound file (or the sound of a video) as 16 kHz mono, a second at a time. Raises `SpeechUnreadable`."""
    resampler = av.AudioResampler("fltp", None, SPEECH_RATE)
    held: list[Samples] = []
    count = total = 0
    try:
        with av.open(str(path), "r", options={"protocol_whitelist": "file"}) as container:
            if container.format.name.split(",")[0] not in _FORMATS:
                raise SpeechUnreadable(f"{path}: {container.format.name} is not read here; send WAV, FLAC, OGG or MP3")
            if not container.streams.audio:
                raise SpeechUnreadable(f"{path} has no sound")
            for frame in _sounding(container, resampler):
                held.append(frame)
                count += len(frame)
                total += len(frame)
                if total > _LONGEST * SPEECH_RATE:
                    raise SpeechUnreadable(f"{path} is longer than {_LONGEST / 3600:.0f} hours")
                if count >= _BLOCK:
                    yield np.concatenate(held)
                    held, count = [], 0
    except (av.error.FFmpegError, OSError) as error:
        raise SpeechUnreadable(f"{path} cannot be read: {error.strerror or error}") from error
    if held:
        yield np.concatenate(held)


def _sounding(container: av.container.InputContainer, resampler: av.AudioResampler) -> Iterator[Samples]:
    for frame in container.decode(container.streams.audio[0]):
        frame.pts = None
        for resampled in resampler.resample(frame):
            yield np.asarray(resampled.to_ndarray().mean(0), np.float32)  # FFmpeg's own mix to mono may clip
    for resampled in resampler.resample(None):
        yield np.asarray(resampled.to_ndarray().mean(0), np.float32)
