"""The caller's side of a session: voice activity, the audio of the open turn, its words, its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import structlog

from agents.conversation import events as ev
from agents.session.services import Services
from media.audio.frames import SPEECH_RATE, AudioFrame
from media.audio.rolling import RollingAudio
from media.speech.activity.segmenter import SegmenterOptions, SpeechEvent, SpeechEventKind, SpeechSegmenter
from media.speech.activity.silero import VoiceActivity
from media.speech.activity.voiced import VoicedTime
from media.speech.protocols import TimedWord
from media.speech.recognition.backchannel import BACKCHANNEL_HINT
from media.speech.recognition.evidence import can_be_said
from media.speech.recognition.spreading import spread_words
from media.speech.recognition.utterance import UtteranceRecogniser
from media.worker import Superseded, WorkerError

PREROLL = SPEECH_RATE // 4
"""Samples before the onset that belong to the turn: soft first consonants come before the detector is sure."""
PROSODY_SAMPLES = 8 * SPEECH_RATE
KEPT_SAMPLES = 10 * SPEECH_RATE
BACKCHANNEL_SAMPLES = PREROLL + SPEECH_RATE
"""Sound over the agent that is no longer than this is heard with the hint for backchannels."""
KEPT_STRETCHES = 400
KEPT_HYPOTHESES = 400
"""Of the voice and of what was recognised, for the times of a turn's words: the longest turns have fewer."""
PATIENCE = 0.6
"""A hypothesis that is not urgent may take this long, so that another caller's final overtakes it."""

log = structlog.get_logger(__name__)

_EVENTS: dict[SpeechEventKind, type[ev.SpeechHinted | ev.SpeechStarted | ev.SilenceHinted | ev.SpeechStopped]] = {
    SpeechEventKind.POSSIBLE_SPEECH: ev.SpeechHinted,
    SpeechEventKind.NO_SPEECH: ev.SilenceHinted,
    SpeechEventKind.STARTED: ev.SpeechStarted,
    SpeechEventKind.POSSIBLE_SILENCE: ev.SilenceHinted,
    SpeechEventKind.RESUMED: ev.SpeechHinted,
    SpeechEventKind.STOPPED: ev.SpeechStopped,
}


@dataclass(frozen=True, slots=True)
class TurnVoice:
    """Where there was voice in a turn and what was recognised when, on the clock."""

    stretches: tuple[tuple[float, float], ...]
    hypotheses: tuple[tuple[float, str], ...]

    def words(self, text: str) -> tuple[TimedWord, ...]:
        """When the turn's words were said, on the clock; see `media.speech.recognition.spreading`."""
        return spread_words(text, self.stretches, self.hypotheses)


class Listener:
    """Turns the caller's audio into events and carries out what the conversation wants to know of it.

    `dispatch` takes the events, `spawn` owns the tasks, `clock` is the event loop's.
    """

    def __init__(
        self,
        services: Services,
        *,
        dispatch: Callable[[ev.Event], None],
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
        clock: Callable[[], float],
        language: str | None,
        hint: str = "",
        segmenter: SegmenterOptions | None = None,
    ) -> None:
        self._services = services
        self._dispatch = dispatch
        self._spawn = spawn
        self._clock = clock
        self._language = language
        self._hint = hint
        self._activity = VoiceActivity(services.activity)
        self._segmenter = SpeechSegmenter(segmenter)
        self._audio = RollingAudio(KEPT_SAMPLES)
        self._voiced = VoicedTime(KEPT_SAMPLES)
        self._voiced_before = 0.0
        self._last_voiced = 0
        self._voice: deque[tuple[float, float]] = deque(maxlen=KEPT_STRETCHES)
        self._voice_since: float | None = None
        self._hypotheses: deque[tuple[float, str]] = deque(maxlen=KEPT_HYPOTHESES)
        self._opened_at = 0.0
        self._turn_id: int | None = None
        self._utterance: UtteranceRecogniser | None = None

    def hear(self, frame: AudioFrame) -> None:
        """Take the caller's next audio, 16 kHz."""
        self._audio.append(frame)
        if self._utterance is not None:
            self._utterance.add(frame.samples)
        for window in self._activity.feed(frame):
            self._voiced.add(window)
            for event in self._segmenter.feed(window):
                self._last_voiced = max(self._last_voiced, event.at)
                moment = self._time_of(event)
                self._note_voice(event.kind, moment)
                self._dispatch(_EVENTS[event.kind](moment))

    def open_turn(self, turn_id: int, at: float, *, over_agent: bool) -> None:
        """A turn may have begun at `at`, perhaps over the agent's speech: keep its audio from a little before."""
        start = self._audio.end - round((self._clock() - at) * SPEECH_RATE) - PREROLL
        self._turn_id, self._opened_at = turn_id, at
        self._voiced_before = self._voiced.before(start)
        self._hypotheses.clear()
        self._utterance = UtteranceRecogniser(
            self._services.recogniser,
            language=self._language,
            hint=BACKCHANNEL_HINT if over_agent else self._hint,
            slot=f"{id(self)}:{turn_id}",
        )
        self._utterance.add(self._audio.since(start))

    def close_turn(self, turn_id: int) -> None:
        """The turn is confirmed or none: its audio is no longer needed."""
        if turn_id == self._turn_id:
            self._turn_id = self._utterance = None

    def voice(self, turn_id: int) -> TurnVoice | None:
        """What tells when the words of the open turn were said; None for one that was typed."""
        if turn_id != self._turn_id:
            return None
        since = self._opened_at - PREROLL / SPEECH_RATE
        voice = [stretch for stretch in self._voice if stretch[1] > since]
        if self._voice_since is not None:  # a turn that was too long ends in the middle of a breath
            voice.append((self._voice_since, self._clock()))
        return TurnVoice(tuple(voice), tuple(self._hypotheses))

    def _note_voice(self, kind: SpeechEventKind, moment: float) -> None:
        """Keep where there was voice."""
        if kind in (SpeechEventKind.STARTED, SpeechEventKind.RESUMED):
            self._voice_since = moment
        elif self._voice_since is not None and kind in (SpeechEventKind.POSSIBLE_SILENCE, SpeechEventKind.STOPPED):
            self._voice.append((self._voice_since, moment))
            self._voice_since = None

    def recognise(self, turn_id: int, *, urgent: bool) -> None:
        """Ask for the words of the turn up to now; words in between only while the recogniser has nothing to do."""
        if self._utterance is None or turn_id != self._turn_id:
            return
        if self._utterance.samples > BACKCHANNEL_SAMPLES:
            self._utterance.hint = self._hint
        if not urgent and self._services.recogniser.busy:
            self._dispatch(ev.HypothesisFailed(turn_id, self._clock()))
        else:
            self._spawn(self._recognise(self._utterance, turn_id, self._clock(), urgent=urgent))

    async def _recognise(self, utterance: UtteranceRecogniser, turn_id: int, now: float, *, urgent: bool) -> None:
        voice = self._voiced.total - self._voiced_before
        try:
            transcript = await utterance.hypothesis(final=urgent, deadline=now if urgent else now + PATIENCE)
        except Superseded:
            return  # a newer request for the same turn is on its way
        except WorkerError as error:
            log.warning("recognition refused", turn=turn_id, reason=str(error) or type(error).__name__)
            self._dispatch(ev.HypothesisFailed(turn_id, now))
        except Exception:  # whatever a model raises must not end the call: the turn goes on without these words
            log.exception("recognition failed", turn=turn_id)
            self._dispatch(ev.HypothesisFailed(turn_id, now))
        else:
            text, log_probability = transcript.text, transcript.average_log_probability
            if text and not can_be_said(text, log_probability, voice):
                log.debug("words that nobody can have said", turn=turn_id, text=text, voice=round(voice, 2))
                text = ""
            if turn_id == self._turn_id:
                self._hypotheses.append((now, text))
            self._dispatch(ev.HypothesisReady(turn_id, now, text, log_probability))

    def judge_prosody(self, turn_id: int, revision: int) -> None:
        """Ask how finished the turn sounds."""
        self._spawn(self._judge_prosody(turn_id, revision))

    async def _judge_prosody(self, turn_id: int, revision: int) -> None:
        # Up to the last voiced sound: silence after it makes unfinished turns sound finished.
        samples = self._audio.since(self._last_voiced - PROSODY_SAMPLES, self._last_voiced)
        try:
            probability = await self._services.turn_detector.probability(samples, deadline=self._clock())
        except WorkerError as error:
            log.warning("turn detector refused", turn=turn_id, reason=str(error) or type(error).__name__)
        except Exception:  # likewise: without its opinion the turn ends by words and silence
            log.exception("turn detector failed", turn=turn_id)
        else:
            self._dispatch(ev.ProsodyScored(turn_id, revision, probability))

    def judge_words(self, turn_id: int, text: str) -> None:
        """Ask how finished the words read."""
        self._spawn(self._judge_words(turn_id, text))

    async def _judge_words(self, turn_id: int, text: str) -> None:
        try:
            probability = await self._services.completion.probability(text, deadline=self._clock())
        except WorkerError as error:
            log.warning("completion judge refused", turn=turn_id, reason=str(error) or type(error).__name__)
        except Exception:  # likewise
            log.exception("completion judge failed", turn=turn_id)
        else:
            self._dispatch(ev.WordsScored(turn_id, text, probability))

    def _time_of(self, event: SpeechEvent) -> float:
        """When the sample an event speaks of was heard."""
        return self._clock() - (self._audio.end - event.at) / SPEECH_RATE
