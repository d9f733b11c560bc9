"""From probabilities to moments: when speech began, when it fell silent, and the first hint of each. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from media.audio.frames import SPEECH_RATE as RATE
from media.speech.activity.levels import NoiseFloor, PeakLevel
from media.speech.activity.windows import BLOCK, WINDOW, ActivityWindow

LONGEST_ONSET = RATE // 4
"""Speech is said to have begun at most this many samples before the end of the window that showed it."""
NOISY_RANGE = 18.0
"""Sounds less than this many dB under the speaker's peaks are always voice: on a noisy line the level does not tell."""


class SpeechEventKind(Enum):
    """What the segmenter noticed."""

    POSSIBLE_SPEECH = "possible_speech"
    """The first window that sounds like speech: pause the agent, nothing more yet."""
    NO_SPEECH = "no_speech"
    """The possible speech was none."""
    STARTED = "started"
    """It is speech."""
    POSSIBLE_SILENCE = "possible_silence"
    """The first hint that the speaker stopped: start recognising."""
    RESUMED = "resumed"
    """The possible silence was a gap between sounds."""
    STOPPED = "stopped"
    """The speaker fell silent (which is not yet the end of the turn)."""


@dataclass(frozen=True, slots=True)
class SpeechEvent:
    """A moment of one stream.

    `at` is the sample it is about: where speech began (`POSSIBLE_SPEECH`, `STARTED`), the window in which it
    went on (`RESUMED`), or the end of the last voiced sound (the others), to 8 ms. `now` is
    the sample after the window that showed it. `voiced` counts the voiced samples since speech began.
    """

    kind: SpeechEventKind
    at: int
    now: int
    voiced: int


@dataclass(frozen=True, slots=True)
class SegmenterOptions:
    """Thresholds; the defaults are measured on wide and phone band speech.

    Probabilities in [0, 1]: `start` makes a window speech; while speech goes on, a loud window stays speech
    down to `stop` and a quiet one down to `start`, but under `doubt` it may have ended. `start_windows`: windows
    (32 ms) of speech that confirm it. `silence_hint`, `silence`: seconds without voice until the hint and until
    it is certain. `floor_margin`: dB over the line's noise, and `peak_range`: dB under the speaker's peaks,
    within which a sound counts as voice.
    """

    start: float = 0.5
    doubt: float = 0.35
    stop: float = 0.25
    start_windows: int = 3
    silence_hint: float = 0.064
    silence: float = 0.128
    floor_margin: float = 8.0
    peak_range: float = 28.0

    def __post_init__(self) -> None:
        if not 0 < self.stop <= self.doubt <= self.start < 1:
            raise ValueError("probabilities must satisfy 0 < stop <= doubt <= start < 1")
        if self.start_windows < 1:
            raise ValueError("start_windows must be at least 1")
        if not 0 < self.silence_hint <= self.silence:
            raise ValueError("silences must satisfy 0 < silence_hint <= silence")


class _State(Enum):
    SILENT = 0
    POSSIBLE = 1
    SPEAKING = 2
    FADING = 3


class SpeechSegmenter:
    """Turns one stream's activity windows into events.

    The model alone hears the end of speech three windows late; the level alone takes every noise for speech.
    So speech begins by the model (and a level above the line's noise), the first hint of silence comes from either,
    and silence is certain when the model agrees.
    """

    def __init__(self, options: SegmenterOptions | None = None) -> None:
        self.options = options or SegmenterOptions()
        self._floor = NoiseFloor(block_seconds=BLOCK / RATE)
        self._peak = PeakLevel(block_seconds=BLOCK / RATE)
        self._state = _State.SILENT
        self._recent: deque[tuple[int, bool]] = deque(maxlen=LONGEST_ONSET // BLOCK)  # (start of block, loud)
        self._likely = 0  # windows of speech since it was first possible
        self._unlikely = 0  # windows in a row in which the model hears none
        self._began = 0
        self._last_voiced = 0
        self._voiced = 0

    @property
    def speaking(self) -> bool:
        """Whether speech has been confirmed and has not stopped."""
        return self._state in (_State.SPEAKING, _State.FADING)

    def feed(self, window: ActivityWindow) -> list[SpeechEvent]:
        """The events that `window` brings, in order; windows come in the stream's order."""
        loud = self._listen(window)
        if self._state is _State.SILENT:
            return self._while_silent(window, loud)
        if self._state is _State.POSSIBLE:
            return self._while_possible(window, loud)
        return self._while_speaking(window, loud)

    def _listen(self, window: ActivityWindow) -> bool:
        """Note which blocks are loud; whether any is."""
        gate = self._gate()
        for number, level in enumerate(window.levels):
            self._recent.append((window.index + number * BLOCK, level >= gate))
            self._floor.add(level)
        return any(level >= gate for level in window.levels)

    @property
    def _noisy(self) -> bool:
        """Whether the line's noise comes so close to the speaker's peaks that the level does not tell voice from it."""
        return self._floor.level + self.options.floor_margin > self._peak.level - NOISY_RANGE

    def _gate(self) -> float:
        """The level in dBFS from which a block counts as voice."""
        over_noise = self._floor.level + self.options.floor_margin
        if not self.speaking:
            return over_noise
        gate = max(over_noise, self._peak.level - self.options.peak_range)
        return min(gate, self._peak.level - NOISY_RANGE)

    def _while_silent(self, window: ActivityWindow, loud: bool) -> list[SpeechEvent]:
        if window.probability < self.options.start or not loud:
            return []
        self._began = self._onset(window)
        self._last_voiced = self._began
        self._likely = self._unlikely = self._voiced = 0
        self._note_voice(window)
        self._state = _State.POSSIBLE
        events = [self._event(SpeechEventKind.POSSIBLE_SPEECH, self._began, window)]
        return events + self._confirm(window)

    def _while_possible(self, window: ActivityWindow, loud: bool) -> list[SpeechEvent]:
        if window.probability >= self.options.start and loud:
            self._note_voice(window)
            return self._confirm(window)
        self._unlikely += 1
        if self._unlikely < 2:
            return []
        self._state = _State.SILENT
        return [self._event(SpeechEventKind.NO_SPEECH, self._last_voiced, window)]

    def _confirm(self, window: ActivityWindow) -> list[SpeechEvent]:
        self._likely += 1
        self._unlikely = 0
        if self._likely < self.options.start_windows:
            return []
        self._state = _State.SPEAKING
        return [self._event(SpeechEventKind.STARTED, self._began, window)]

    def _while_speaking(self, window: ActivityWindow, loud: bool) -> list[SpeechEvent]:
        likely = window.probability >= (self.options.stop if loud else self.options.start)
        self._unlikely = 0 if likely else self._unlikely + 1
        if likely and loud:
            self._note_voice(window)
        elif loud and not self._noisy:
            self._last_voiced = self._end_of_sound(window)  # a voice too soft for the model has not ended yet
        quiet = (window.end - self._last_voiced) / RATE
        if self._state is _State.FADING and self._voice_is_back(window):
            self._state = _State.SPEAKING
            return [self._event(SpeechEventKind.RESUMED, window.index, window)]
        events = []
        doubtful = self._unlikely > 0 or window.probability < self.options.doubt
        if self._state is _State.SPEAKING and (quiet >= self.options.silence_hint or doubtful):
            self._state = _State.FADING
            events.append(self._event(SpeechEventKind.POSSIBLE_SILENCE, self._last_voiced, window))
        if self._state is _State.FADING and self._is_over(quiet):
            self._state = _State.SILENT
            events.append(self._event(SpeechEventKind.STOPPED, self._last_voiced, window))
        return events

    def _voice_is_back(self, window: ActivityWindow) -> bool:
        return window.probability >= self.options.doubt and self._unlikely == 0 and self._last_voiced > window.index

    def _is_over(self, quiet: float) -> bool:
        """Both say so; or the model alone, sooner where the level does not tell."""
        if quiet >= self.options.silence and self._unlikely >= 2:
            return True
        windows = round(self.options.silence * RATE / WINDOW)
        return self._unlikely >= (windows - 1 if self._noisy else 2 * windows)

    def _note_voice(self, window: ActivityWindow) -> None:
        self._last_voiced = self._end_of_sound(window)
        self._voiced += BLOCK * sum(loud for start, loud in self._recent if start >= window.index)
        for level in window.levels:
            self._peak.add(level)

    def _end_of_sound(self, window: ActivityWindow) -> int:
        """The end of the last loud block of a window that has one."""
        return max(start for start, loud in self._recent if loud and start >= window.index) + BLOCK

    def _onset(self, window: ActivityWindow) -> int:
        """Where the sound that led to this window began: the model needs a window or two to be sure."""
        onset = window.end
        gap = 0
        for start, loud in reversed(self._recent):
            gap = 0 if loud else gap + 1
            if loud:
                onset = start
            elif gap > WINDOW // BLOCK:
                break
        return onset

    def _event(self, kind: SpeechEventKind, at: int, window: ActivityWindow) -> SpeechEvent:
        return SpeechEvent(kind, at, window.end, self._voiced)
