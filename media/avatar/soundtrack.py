"""What a film's face speaks: sound from a file or from a voice, and the mouth that goes with it.

Sound is read at 48 kHz for the film; the mouth comes from the voice's own phonemes where they are known, else from what
the audio-to-viseme network hears in it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import av
import numpy as np
import numpy.typing as npt
import soxr

from media.audio.frames import SPEECH_RATE, AudioFrame, Samples
from media.avatar.audio_visemes.features import STEPS_PER_SECOND
from media.avatar.audio_visemes.network import AudioVisemes, AudioVisemeStream, emphasis_of
from media.avatar.errors import SpeechUnreadable
from media.avatar.face import MOUTH_SHAPES, MouthWeights
from media.avatar.visemes import PhonemeTrack
from media.speech.protocols import SpokenPhoneme

SOUND_RATE: Final = 48_000
"""Of a film's sound, in Hz."""

_FORMATS = ("wav", "flac", "ogg", "mp3", "mov", "matroska", "aac")
_LONGEST = 4 * 3600.0  # seconds
_AHEAD = 1.0  # seconds of phonemes that shape the mouth before they sound, and more


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """What is to be spoken: a trusted sound file or mono samples, with phonemes where the voice told them.

    `phonemes` count samples of `rate` Hz; without any the mouth is taken from the sound.
    """

    sound: Path | AudioFrame
    phonemes: Sequence[SpokenPhoneme] = ()
    rate: int = 0

    def blocks(self) -> Iterator[Samples]:
        """The sound, 48 kHz mono, a second at a time. Raises `SpeechUnreadable`."""
        if isinstance(self.sound, Path):
            yield from decode_speech(self.sound, SOUND_RATE)
            return
        stream = soxr.ResampleStream(self.sound.rate, SOUND_RATE, 1, dtype="float32", quality="HQ")
        samples, step = self.sound.samples, self.sound.rate
        for start in range(0, len(samples), step):
            yield stream.resample_chunk(samples[start : start + step], last=start + step >= len(samples))

    def mouth(self, network: AudioVisemes) -> FilmTrack:
        """The mouth's track, which grows as it is given the sound."""
        return KnownTrack(self.phonemes, self.rate) if self.phonemes else HeardTrack(network)

    def seconds(self) -> float | None:
        """How long it is, None where its file does not say. Raises `SpeechUnreadable`."""
        if isinstance(self.sound, AudioFrame):
            return self.sound.duration
        try:
            with av.open(str(self.sound), "r", options={"protocol_whitelist": "file"}) as container:
                return container.duration / 1e6 if container.duration else None
        except (av.error.FFmpegError, OSError) as error:
            raise SpeechUnreadable(f"{self.sound} cannot be read: {error.strerror or error}") from error


class FilmTrack(Protocol):
    """A mouth over speech that comes in blocks. Implements `media.avatar.visemes.MouthTrack`."""

    @property
    def end(self) -> float:
        """Up to where the mouth is known, in seconds."""
        ...

    def hear(self, samples: Samples) -> None:
        """The sound that follows, 16 kHz."""
        ...

    def finish(self) -> None:
        """Nothing more follows."""
        ...

    def forget(self, before: float) -> None:
        """What lies more than a second before this instant is not asked for again."""
        ...

    def mouth(self, at: float) -> MouthWeights:
        """The mouth at an instant."""
        ...

    def emphasis(self, at: float) -> float:
        """How much the voice leans on this instant, 0 to 1."""
        ...


class KnownTrack:
    """A mouth from phonemes that are all known: it hears nothing."""

    def __init__(self, phonemes: Sequence[SpokenPhoneme], rate: int) -> None:
        self._track = PhonemeTrack()
        self._track.extend(phonemes, rate)

    @property
    def end(self) -> float:
        """Everything is known."""
        return math.inf

    def hear(self, samples: Samples) -> None:
        """See `FilmTrack.hear`."""

    def finish(self) -> None:
        """See `FilmTrack.finish`."""

    def forget(self, before: float) -> None:
        """See `FilmTrack.forget`."""

    def mouth(self, at: float) -> MouthWeights:
        """See `FilmTrack.mouth`."""
        return self._track.mouth(at)

    def emphasis(self, at: float) -> float:
        """See `FilmTrack.emphasis`."""
        return self._track.emphasis(at)


class SpeechLost(Exception):
    """The speech that a film was drawn for is not coming."""


class GrowingTrack:
    """The mouth of speech that is being made on another thread; frames are drawn as far as it is known.

    Whoever makes the speech calls `extend` and, at the end, `finish` or `lose`. Implements
    `media.avatar.visemes.MouthTrack`.
    """

    def __init__(self) -> None:
        self._track = PhonemeTrack()
        self._known = 0.0
        self._change = threading.Condition()
        self.lost = False
        self.seconds: float | None = None
        """How long the speech is, once it is whole."""

    def extend(self, phonemes: Sequence[SpokenPhoneme], rate: int, *, until: float) -> None:
        """Add the phonemes that follow; all are known that begin before `until`, in seconds."""
        with self._change:
            self._track.extend(phonemes, rate)
            self._known = until
            self._change.notify_all()

    def finish(self, seconds: float) -> None:
        """Nothing more follows."""
        with self._change:
            self.seconds = seconds
            self._change.notify_all()

    def lose(self) -> None:
        """Nothing more follows, and what there is is of no use."""
        with self._change:
            self.lost = True
            self._change.notify_all()

    def ends(self) -> Iterator[float]:
        """Up to where frames may be drawn, further each time, in seconds; waits for more. Raises `SpeechLost`."""
        told, whole = 0.0, self.seconds
        while whole is None:
            with self._change:
                self._change.wait_for(partial(self._goes_on, told))
                told, whole = self._known - _AHEAD, self.seconds
                if self.lost:
                    raise SpeechLost
            if whole is None:
                yield told
        yield whole

    def _goes_on(self, told: float) -> bool:
        return self.seconds is not None or self.lost or self._known - _AHEAD > told

    def mouth(self, at: float) -> MouthWeights:
        """See `FilmTrack.mouth`."""
        with self._change:
            return self._track.mouth(at)

    def emphasis(self, at: float) -> float:
        """See `FilmTrack.emphasis`."""
        with self._change:
            return self._track.emphasis(at)


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


def decode_speech(path: Path, rate: int = SPEECH_RATE) -> Iterator[Samples]:
    """A sound file (or the sound of a video) as mono at `rate` Hz, a second at a time. Raises `SpeechUnreadable`."""
    resampler = av.AudioResampler("fltp", None, rate)
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
                if total > _LONGEST * rate:
                    raise SpeechUnreadable(f"{path} is longer than {_LONGEST / 3600:.0f} hours")
                if count >= rate:
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
