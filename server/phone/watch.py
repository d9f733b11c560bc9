"""Hears who answered a call of ours: voice activity, tones and words of its own, beside the session that talks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import structlog

from media.audio.frames import SPEECH_RATE, AudioFrame
from media.audio.rolling import RollingAudio
from media.speech.activity.segmenter import SpeechEvent, SpeechEventKind, SpeechSegmenter
from media.speech.activity.silero import SileroModel, VoiceActivity
from media.speech.protocols import SpeechRecogniser
from media.speech.recognition.utterance import UtteranceRecogniser
from media.worker import Superseded, WorkerError
from telephony.answering import AnsweringDetector, AnsweringOptions, GreetingOver, Outcome, Verdict, WordsWanted
from telephony.greetings import Party, Reading
from telephony.tones import ToneHeard, ToneListener

PREROLL: Final = SPEECH_RATE // 4
"""Samples before the first sound that belong to the greeting."""
KEPT: Final = 2 * SPEECH_RATE
SOON: Final = 0.15
"""Words that a verdict waits for are due so much later than those of somebody who has finished speaking."""
PATIENCE: Final = 0.8
_TICK: Final = 0.001  # a timer may come a little early, by rounding

log = structlog.get_logger(__name__)


class AnsweringWatch:
    """Hears one answered call from its first sample on; `async with` holds its work.

    `hear` takes the audio as a link gives it. `verdict` is the first verdict, there 2.5 s after the answer at the
    latest; `sure` is the one that may be acted on, or the last one when nothing more is to be learnt. `greeting_over`
    is set when a machine's greeting has ended, and `on_beep` is called where a beep comes after that. Closing cancels
    what is not there yet.
    """

    def __init__(
        self,
        activity: SileroModel,
        recogniser: SpeechRecogniser,
        *,
        language: str | None = "en",
        options: AnsweringOptions | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.verdict: asyncio.Future[Verdict] = self._loop.create_future()
        self.sure: asyncio.Future[Verdict] = self._loop.create_future()
        self.greeting_over: asyncio.Future[GreetingOver] = self._loop.create_future()
        self.on_beep: Callable[[], None] = lambda: None
        self.verdicts: list[Verdict] = []
        self._recogniser = recogniser
        self._language = language
        self._detector = AnsweringDetector(options)
        self._activity = VoiceActivity(activity)
        self._segmenter = SpeechSegmenter()
        self._tones = ToneListener(SPEECH_RATE)
        self._audio = RollingAudio(KEPT)
        self._offset = 0
        self._utterance: UtteranceRecogniser | None = None
        self._answered = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: set[object] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        self._answered = self._loop.time()
        self._arm()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for future in (self.verdict, self.sure, self.greeting_over):
            future.cancel()

    @property
    def listening(self) -> bool:
        """Whether there is still something to learn: of a machine even when its greeting seems to be over."""
        verdict = self._detector.verdict
        return not self._closed and not (self.sure.done() and verdict is not None and verdict.party is Party.HUMAN)

    @property
    def spoke(self) -> bool:
        """Whether anybody has said anything."""
        return self._utterance is not None

    @property
    def reading(self) -> Reading:
        """What the words say up to now."""
        return self._detector.reading

    def hear(self, frame: AudioFrame) -> None:
        """Take the next audio of the one who answered, 16 kHz."""
        if not self.listening:
            return
        if frame.index + self._offset < self._audio.end:  # another link, which counts anew
            self._offset = self._audio.end - frame.index
        frame = AudioFrame(frame.samples, frame.rate, frame.index + self._offset)
        self._audio.append(frame)
        if self._utterance is not None:
            self._utterance.add(frame.samples)
        for window in self._activity.feed(frame):
            for event in self._segmenter.feed(window):
                self._on_speech(event)
        for tone in self._tones.feed(frame):
            start, end = (self._time_of(round(at * SPEECH_RATE)) for at in (tone.start, tone.end))
            self._follow(self._detector.tone(ToneHeard(tone.tone, start, end), self._now))

    def on_event(self, event: str, data: dict[str, object]) -> None:
        """What the session notifies: when it has answered what somebody said, the watch is over."""
        if event == "transcript" and data.get("final"):
            self._turns.add(data.get("turn"))
        elif event == "answer" and data.get("turn") in self._turns:
            self.stop()

    def stop(self) -> None:
        """Whoever it is, the conversation goes on: there will be no other verdict."""
        self._detector.close()
        self._follow([])

    @property
    def _now(self) -> float:
        return self._loop.time() - self._answered

    def _time_of(self, sample: int) -> float:
        """When a sample was heard, seconds since the answer."""
        return self._now - (self._audio.end - sample) / SPEECH_RATE

    def _on_speech(self, event: SpeechEvent) -> None:
        if event.kind in (SpeechEventKind.POSSIBLE_SPEECH, SpeechEventKind.NO_SPEECH):
            self._detector.speech_hinted(event.kind is SpeechEventKind.POSSIBLE_SPEECH)
        elif event.kind is SpeechEventKind.STARTED:
            if self._utterance is None:
                self._utterance = UtteranceRecogniser(
                    self._recogniser, language=self._language, slot=f"answering:{id(self)}"
                )
                self._utterance.add(self._audio.since(event.at - PREROLL))
            self._follow(self._detector.speech_started(self._time_of(event.at), self._now))
        elif event.kind is SpeechEventKind.STOPPED:
            self._follow(self._detector.speech_stopped(self._time_of(event.at), self._now))

    def _follow(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Verdict():
                    self._decided(outcome)
                case WordsWanted(urgent):
                    self._ask(urgent=urgent)
                case GreetingOver(beep):
                    if not self.greeting_over.done():
                        self.greeting_over.set_result(outcome)
                    elif beep:
                        self.on_beep()
        verdict = self._detector.verdict
        if self._detector.settled and verdict is not None and not self.sure.done():
            self.sure.set_result(verdict)
        self._arm()

    def _decided(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        log.info(
            "answered",
            by=verdict.party.value,
            why=verdict.why,
            sure=verdict.sure,
            confidence=round(verdict.confidence, 2),
            after_ms=round(1000 * verdict.at),
        )
        if not self.verdict.done():
            self.verdict.set_result(verdict)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._detector.next_deadline(self._now + _TICK)
        if at is not None and self.listening:
            self._timer = self._loop.call_at(self._answered + at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._follow(self._detector.tick(self._now + _TICK))

    # Words

    def _ask(self, *, urgent: bool) -> None:
        if self._utterance is None or self._closed:
            return
        task = self._loop.create_task(self._recognise(self._utterance, self._now, urgent=urgent))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _recognise(self, utterance: UtteranceRecogniser, until: float, *, urgent: bool) -> None:
        due = self._loop.time() + (SOON if urgent else PATIENCE)
        try:
            heard = await utterance.hypothesis(deadline=due, final=True)
        except Superseded:
            return  # a newer request is on its way
        except WorkerError as error:
            log.warning("greeting not recognised", reason=str(error) or type(error).__name__)
        except Exception:  # whatever a model raises must not end the call: it goes on by rhythm and tones
            log.exception("greeting not recognised")
        else:
            log.debug("greeting", text=heard.text, until=round(until, 2))
            language = heard.language or self._language or "en"
            self._follow(self._detector.words(heard.text, until, self._now, language=language))
