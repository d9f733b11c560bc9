"""A stage for one session in virtual time: a caller who makes sounds, models that do as told, a line that listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from agents.conversation.actions import Phrase
from agents.conversation.policy import TurnPolicy
from agents.dialogue import Dialogue
from agents.llm.protocol import ChatModel
from agents.session.services import Services, TurnRecord
from agents.session.session import Session
from agents.tools.tool import Tool
from media.audio.frames import SPEECH_RATE, AudioFrame, Samples
from media.audio.playout import Playout
from media.speech.activity.silero import SileroModel, State
from media.speech.protocols import SpeechChunk, SpokenWord, Transcript
from tests.virtual_time import run_virtual

FRAME = SPEECH_RATE // 50
RATE = 8000
SECONDS_PER_CHARACTER = 0.05
GREETING_ENDS = 1.0
"""Seconds into the call when the greeting has been heard."""
PHRASES = {
    Phrase.GREETING: ["Hello there."],
    Phrase.REPROMPT: ["Still there?"],
    Phrase.NOT_UNDERSTOOD: ["Say again?"],
    Phrase.HOLD: ["One moment."],
    Phrase.APOLOGY: ["I am sorry."],
    Phrase.GOODBYE: ["Goodbye."],
    Phrase.TIME_IS_UP: ["Time is up."],
}


class LevelModel:
    """Hears speech in whatever is loud."""

    def run(self, samples: Samples, state: State) -> tuple[float, State]:
        return (0.98 if float(np.abs(samples[0, 64:]).mean()) > 0.01 else 0.02), state


@dataclass
class Recogniser:
    """Recognises what the caller was told to say, after a while."""

    text: str = ""
    log_probability: float = -0.3
    seconds: float = 0.15
    error: Exception | None = None
    busy: bool = False
    requests: int = 0

    async def transcribe(self, samples: Samples, **_options: Any) -> Transcript:
        self.requests += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        heard = float(np.abs(samples).max(initial=0.0)) > 0.01
        return Transcript(self.text if heard else "", "en", 0.0, self.log_probability)


@dataclass
class Judge:
    """Both judges: says what it is told to."""

    value: float = 0.95
    error: Exception | None = None

    async def probability(self, _what: Samples | str, *, deadline: float) -> float:
        await asyncio.sleep(0.03)
        if self.error is not None:
            raise self.error
        return self.value


@dataclass
class ToneVoice:
    """Speaks each character for 50 ms, in chunks of 0.2 s; every sample is a little louder than the one before.

    `takes`: the seconds that each chunk of a text takes to make, no time for the rest.
    """

    name: str = "tone"
    rate: int = RATE
    error: Exception | None = None
    takes: tuple[float, ...] = ()
    spoken: list[str] = field(default_factory=list)

    async def synthesise(self, text: str, *, deadline: float, speed: float = 1.0) -> AsyncGenerator[SpeechChunk]:
        await asyncio.sleep(0.05)
        if self.error is not None:
            raise self.error
        self.spoken.append(text)
        clean = text.strip()
        total = round(len(clean) * SECONDS_PER_CHARACTER * RATE)
        samples = np.linspace(0.1, 0.9, total, dtype=np.float32)
        words = []
        at = text.index(clean) if clean else 0
        for word in clean.split():
            at = text.index(word, at)
            scale = SECONDS_PER_CHARACTER * RATE
            words.append(SpokenWord(word, round(at * scale), round((at + len(word)) * scale), at, at + len(word)))
            at += len(word)
        step = RATE // 5
        for number, start in enumerate(range(0, max(total, 1), step)):
            await asyncio.sleep(self.takes[number] if number < len(self.takes) else 0.0)
            end = min(total, start + step)
            here = tuple(word for word in words if start <= word.start < end or (start == 0 and word.start < end))
            yield SpeechChunk(samples[start:end], RATE, start, here, (), final=end >= total)


@dataclass
class Ledger:
    """Takes the records."""

    turns: list[TurnRecord] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    def turn(self, session_id: str, record: TurnRecord) -> None:
        self.turns.append(record)

    def ended(self, session_id: str, reason: str) -> None:
        self.ends.append(reason)


class Line:
    """A link whose listener hears each frame the moment it is taken."""

    rate = RATE
    kind = "test"

    def __init__(self) -> None:
        self.playout: Playout | None = None
        self.hung_up: str | None = None
        self.events: list[tuple[str, dict[str, object]]] = []
        self.heard: list[tuple[float, Samples]] = []
        self.digits = ""

    def start(self, playout: Playout) -> None:
        self.playout = playout

    def flush(self) -> int:
        return 0 if self.playout is None else self.playout.heard_position

    def hang_up(self, reason: str) -> None:
        self.hung_up = reason

    def send_digits(self, digits: str) -> None:
        self.digits += digits

    def notify(self, event: str, data: dict[str, object]) -> None:
        self.events.append((event, data))


class Stage:
    """One session and its caller. `said` are the caller's sounds: start, seconds, what the recogniser makes of it."""

    def __init__(
        self,
        model: ChatModel,
        *,
        policy: TurnPolicy | None = None,
        tools: dict[str, Tool] | None = None,
        phrases: dict[Phrase, list[str]] | None = None,
        outbound: bool = False,
        opt_out: str = "",
    ) -> None:
        self.recogniser, self.voice, self.line, self.ledger = Recogniser(), ToneVoice(), Line(), Ledger()
        self.words, self.melody = Judge(), Judge()
        self.dialogue = Dialogue(model, system_prompt="Be brief.", tools=tools)
        services = Services(cast(SileroModel, LevelModel()), self.recogniser, self.melody, self.words)
        self.session = Session(
            services,
            self.dialogue,
            self.voice,
            self.line,
            policy=policy or TurnPolicy(partial_interval=0.0),
            phrases=PHRASES if phrases is None else phrases,
            recorder=self.ledger,
            outbound=outbound,
            opt_out=opt_out,
        )
        self._loop = asyncio.get_running_loop()
        self.began = self._loop.time()
        self._sounds: list[tuple[float, float, str]] = []
        self._sent = 0

    @property
    def now(self) -> float:
        """Seconds since the call began."""
        return self._loop.time() - self.began

    def says(self, text: str, seconds: float = 1.0, *, at: float | None = None) -> float:
        """The caller makes a sound now or at a time; returns when it ends."""
        start = self.now if at is None else at
        self._sounds.append((start, start + seconds, text))
        return start + seconds

    async def run(self, play: Callable[[], Coroutine[Any, Any, None]], *, limit: float = 300.0) -> None:
        """Hold the call while `play` runs; then the caller leaves, if the agent has not."""
        async with asyncio.timeout(limit):
            call = asyncio.ensure_future(self.session.run())
            wire = asyncio.ensure_future(self._wire())
            await play()
            self.session.caller_left("left")
            await call
            wire.cancel()

    async def passes(self, seconds: float) -> None:
        """Time goes by."""
        await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], bool], *, limit: float = 60.0) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(limit):
            while not condition():
                await asyncio.sleep(0.01)

    async def answered(self, turns: int) -> None:
        """Wait until so many turns with words are over."""
        await self.until(lambda: len(self.answers) >= turns)

    @property
    def answers(self) -> list[TurnRecord]:
        """The caller's turns that are over."""
        return [turn for turn in self.ledger.turns if turn.transcript]

    def spoken_samples(self) -> Samples:
        """Everything the caller heard, without the silence."""
        return np.concatenate([samples[samples > 0] for _, samples in self.line.heard] or [np.zeros(0, np.float32)])

    async def _wire(self) -> None:
        while True:
            sound = next((entry for entry in self._sounds if entry[0] <= self.now < entry[1]), None)
            if sound is not None:
                self.recogniser.text = sound[2]
            level = 0.3 if sound is not None else 0.0
            self.session.hear(AudioFrame(np.full(FRAME, level, np.float32), SPEECH_RATE, self._sent))
            self._sent += FRAME
            playout = self.line.playout
            frame = playout.take(RATE // 50) if playout is not None else None
            if frame is not None:
                self.line.heard.append((self.now, frame.samples))
                self.session.heard(frame.end)
            await asyncio.sleep(0.02)


def on_stage(
    model: ChatModel,
    play: Callable[[Stage], Coroutine[Any, Any, None]],
    *,
    before: Callable[[Stage], None] = lambda stage: None,
    **options: Any,
) -> Stage:
    """Run a play to its end; nothing may be left running. `before`: what happens before the call begins."""

    async def main() -> Stage:
        stage = Stage(model, **options)
        before(stage)
        running = asyncio.all_tasks()
        await stage.run(lambda: play(stage))
        await asyncio.sleep(0)
        assert asyncio.all_tasks() <= running
        return stage

    return run_virtual(main)
