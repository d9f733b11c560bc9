"""The mouth of a session's speech: phonemes where the voice tells them, else what the sound says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from media.audio.frames import SPEECH_RATE, AudioFrame
from media.audio.playout import Playout, Pronunciation
from media.audio.resample import StreamResampler
from media.avatar.audio_visemes.network import AudioVisemes
from media.avatar.face import MouthWeights
from media.avatar.soundtrack import HeardTrack
from media.avatar.visemes import PhonemeTrack

_AROUND: Final = 0.6
"""Seconds around an instant in which sounds shape the mouth or lean on it."""
_AHEAD: Final = 0.24
"""Seconds of sound that are heard ahead of an instant: the network's look-ahead, its window, and the instants in which
the mouth closes when the sound is cut."""


class PlayoutMouth:
    """`media.avatar.visemes.MouthTrack` over a session's speech; its times are playout positions in seconds.

    Speech before `since` belongs to another time: nothing of it is left on the lips.
    """

    def __init__(self, playout: Playout, ears: Ears, since: int, *, frame: float) -> None:
        self._playout = playout
        self._ears = ears
        self._since = since
        self._frame = frame
        self._track: tuple[float, PhonemeTrack] = (-1.0, PhonemeTrack())

    def mouth(self, at: float) -> MouthWeights:
        """The mouth at a position."""
        heard = self._heard(at)
        return self._phonemes(at).mouth(at) if heard is None else heard.mouth(at)

    def emphasis(self, at: float) -> float:
        """How much the voice leans on what it says there, 0 to 1."""
        heard = self._heard(at)
        return self._phonemes(at).emphasis(at) if heard is None else heard.emphasis(at)

    def _heard(self, at: float) -> Ears | None:
        """The ears, where only the sound is known."""
        spoken = self._playout.pronunciation_at(int(at * self._playout.rate))
        if spoken is None:
            return self._ears if self._ears.know(at) else None
        if spoken.phonemes:
            return None
        self._ears.listen(self._playout, spoken, at)
        return self._ears

    def _phonemes(self, at: float) -> PhonemeTrack:
        if self._track[0] != at:
            rate, track = self._playout.rate, PhonemeTrack(frame=self._frame)
            first = max(self._since, int((at - _AROUND) * rate))
            for phoneme in self._playout.phonemes(first, int((at + _AROUND) * rate)):
                track.add(phoneme.phoneme, phoneme.start / rate, phoneme.end / rate)
            self._track = (at, track)
        return self._track[1]


class Ears:
    """Hears one utterance after the other, a little ahead of what sounds; times as above."""

    def __init__(self, network: Callable[[], AudioVisemes]) -> None:
        self._network = network
        self._start: int | None = None
        self._from = 0.0
        self._fed = 0
        self._track: HeardTrack | None = None
        self._resampler: StreamResampler | None = None

    def know(self, at: float) -> bool:
        """Whether this instant belongs to what was heard last."""
        return self._track is not None and self._from <= at < self._from + self._track.end

    def listen(self, playout: Playout, spoken: Pronunciation, at: float) -> None:
        """Hear an utterance up to a little after `at`."""
        if self._start != spoken.start:
            self._begin(playout, spoken, at)
        track, resampler = self._track, self._resampler
        until = min(spoken.end, int((at + _AHEAD) * playout.rate))
        if track is None or until <= self._fed:
            return
        samples = playout.sound(self._fed, until)
        if resampler is not None:
            begun = self._fed - round(self._from * playout.rate)
            samples = resampler.process(AudioFrame(samples, playout.rate, begun)).samples
        self._fed = until
        track.hear(samples)
        track.forget(at - self._from)

    def mouth(self, at: float) -> MouthWeights:
        """The mouth at an instant that was listened to; at rest elsewhere."""
        assert self._track is not None  # noqa: S101 - asked only after `listen`, or where `know` holds
        return self._track.mouth(at - self._from)

    def emphasis(self, at: float) -> float:
        """The stress at such an instant."""
        assert self._track is not None  # noqa: S101 - as above
        return self._track.emphasis(at - self._from)

    def _begin(self, playout: Playout, spoken: Pronunciation, at: float) -> None:
        """From its first sample, or from half a second ago where the rest of it was let go."""
        self._start = spoken.start
        self._fed = max(spoken.start, int((at - 0.5) * playout.rate))
        self._from = self._fed / playout.rate
        self._track = HeardTrack(self._network())
        same = playout.rate == SPEECH_RATE
        self._resampler = None if same else StreamResampler(playout.rate, SPEECH_RATE)
