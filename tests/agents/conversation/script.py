"""A conversation in virtual time: a caller, a recogniser, two judges and the agent's voice around the real core."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.actions import Action, Phrase
from agents.conversation.machine import Conversation
from agents.conversation.model import State
from agents.conversation.policy import TurnPolicy

A = TypeVar("A")

HINT_LAG = 0.05
START_LAG = 0.12
SILENCE_LAG = 0.07
STOP_LAG = 0.16
"""How long after the sound itself a voice detector says so."""
QUEUE = -1
TIMINGS: dict[str, Any] = {
    "speculate_after": 0.1,
    "shortest_silence": 0.2,
    "unsure_silence": 0.8,
    "doubtful_silence": 1.2,
    "longest_silence": 1.6,
    "prosody_sure": 0.9,
    "words_sure": 0.3,
    "words_certain": 0.6,
    "words_open": 0.05,
    "pause_margin": 0.15,
    "resume_after": 0.1,
    "recognition_timeout": 3.0,
    "longest_turn": 90.0,
    "partial_interval": 0.45,
    "most_speculations": 6,
    "overlap_recognise_after": 0.35,
    "interruption_after": 0.9,
    "overlap_timeout": 1.5,
    "backchannel_log_probability": -1.0,
    "backchannel_longest": 0.75,
    "wordless_after": 6.0,
    "not_understood_after": 1.0,
    "idle_after": 8.0,
    "hold_after": 2.5,
    "answer_timeout": 8.0,
    "digits_after": 2.0,
    "longest_call": 1800.0,
    "closing_timeout": 20.0,
}
"""What the scripts of these tests are timed for, however the defaults are tuned."""


class Script:
    """Feeds what is scheduled, lets every deadline happen in its time, and answers the core's questions.

    `options` are the policy's; `outbound`: we called.

    `says` schedules the caller; the recogniser hears the words said up to the moment it is asked. The judges
    answer with `prosody` and `words` (a number, a function of the text, None: never). `reply` decides what
    becomes of an answer or a phrase that is played: by default it sounds after `sound_takes` for `sound_lasts`.
    """

    def __init__(self, *, outbound: bool = False, **options: Any) -> None:
        self.policy = TurnPolicy.from_options({**TIMINGS, **options})
        self.conversation = Conversation(self.policy, outbound=outbound)
        self.now = 0.0
        self.log: list[tuple[float, Action]] = []
        self.prosody: float | None = 0.95
        self.words: float | Callable[[str], float] | None = 0.6
        self.log_probability = -0.2
        self.recognition_takes: float | None = 0.15
        self.prosody_takes = 0.06
        self.words_take = 0.04
        self.sound_takes = 0.05
        self.sound_lasts = 2.0
        self.reply: Callable[[Script, int], None] = Script.speak
        self.hear: Callable[[float, float], str | None] = self._words_between
        self._queue: list[tuple[float, int, ev.Event]] = []
        self._order = itertools.count()
        self._spoken: list[tuple[float, float, str]] = []
        self._turn_begins: dict[int, float] = {}
        self._voice: dict[int, list[tuple[float, ev.Event]]] = {}
        self._paused_at: float | None = None

    # The caller

    def says(self, text: str, start: float, end: float) -> None:
        """The caller is heard from `start` to `end`; `text` may be "" for a sound without words."""
        self._spoken.append((start, end, text))
        self.schedule(start + HINT_LAG, ev.SpeechHinted(start))
        self.schedule(start + START_LAG, ev.SpeechStarted(start))
        self.schedule(end + SILENCE_LAG, ev.SilenceHinted(end))
        self.schedule(end + STOP_LAG, ev.SpeechStopped(end))

    def clicks(self, start: float) -> None:
        """A noise that sounds like voice for one window."""
        self.schedule(start + HINT_LAG, ev.SpeechHinted(start))
        self.schedule(start + HINT_LAG + 0.064, ev.SilenceHinted(start + 0.03))

    def line(self, *events: tuple[float, ev.Event]) -> None:
        """What the voice detector says, and when."""
        for at, event in events:
            self.schedule(at, event)

    def schedule(self, at: float, event: ev.Event) -> None:
        """An event in the future."""
        heapq.heappush(self._queue, (at, next(self._order), event))

    # The agent's voice, as `reply` may use it

    def speak(self, answer_id: int) -> None:
        """The answer sounds in time and ends."""
        begins = self.now + self.sound_takes
        self.sound(
            answer_id,
            (begins, ev.PlayoutStarted(answer_id)),
            (begins + 0.1, ev.AnswerCompleted(answer_id)),
            (begins + self.sound_lasts, ev.PlayoutDrained(answer_id)),
        )

    def keep_silent(self, answer_id: int) -> None:
        """Nothing ever comes of the answer."""

    def break_down(self, answer_id: int) -> None:
        """The model is broken, the voice is not: phrases are spoken, answers fail."""
        if any(phrase.answer_id == answer_id for phrase in self.all(act.SayPhrase)):
            self.speak(answer_id)
        else:
            self.schedule(self.now + 0.1, ev.AnswerFailed(answer_id, "broken"))

    def sound(self, answer_id: int, *events: tuple[float, ev.Event]) -> None:
        """What an answer brings, and when; it waits while the playout is paused and goes when it is dropped."""
        self._voice.setdefault(answer_id, []).extend(events)

    # Running

    def feed(self, event: ev.Event) -> list[Action]:
        """Let an event happen now."""
        return self._do(self.conversation.handle(event, self.now))

    def run(self, until: float) -> Script:
        """Let time pass."""
        while (upcoming := self._next()) is not None and upcoming[0] <= until:
            at, source = upcoming
            self.now = max(self.now, at)
            if source is None:
                self._do(self.conversation.tick(self.now))
            elif source == QUEUE:
                self.feed(heapq.heappop(self._queue)[2])
            else:
                self.feed(self._voice[source].pop(0)[1])
        self.now = max(self.now, until)
        return self

    def _next(self) -> tuple[float, int | None] | None:
        """When something happens next, and where: a deadline (None), the queue, or what the voice brings."""
        choices: list[tuple[float, int | None]] = []
        deadline = self.conversation.next_deadline()
        if deadline is not None:
            choices.append((deadline, None))
        if self._queue:
            choices.append((self._queue[0][0], QUEUE))
        if self._paused_at is None:
            choices.extend((events[0][0], answer_id) for answer_id, events in self._voice.items() if events)
        return min(choices, key=lambda choice: choice[0], default=None)

    def _do(self, actions: list[Action]) -> list[Action]:
        for action in actions:
            self.log.append((self.now, action))
            self._carry_out(action)
        return actions

    def _carry_out(self, action: Action) -> None:
        match action:
            case act.OpenTurn(turn_id, at):
                self._turn_begins[turn_id] = at
            case act.Recognise(turn_id, until, _):
                self._recognise(turn_id, until)
            case act.JudgeProsody(turn_id, revision) if self.prosody is not None:
                scored = ev.ProsodyScored(turn_id, revision, self.prosody)
                self.schedule(self.now + self.prosody_takes, scored)
            case act.JudgeWords(turn_id, text) if self.words is not None:
                score = self.words(text) if callable(self.words) else self.words
                self.schedule(self.now + self.words_take, ev.WordsScored(turn_id, text, score))
            case act.PlayAnswer(_, answer_id) | act.SayPhrase(_, answer_id, _, _):
                self.reply(self, answer_id)
            case act.DropAnswer(_, answer_id):
                self._voice.pop(answer_id, None)
            case act.PausePlayout():
                self._paused_at = self.now
            case act.CutPlayout():
                self._paused_at = None
            case act.ResumePlayout() if self._paused_at is not None:
                shift, self._paused_at = self.now - self._paused_at, None
                self._voice = {k: [(at + shift, event) for at, event in v] for k, v in self._voice.items()}

    def _recognise(self, turn_id: int, until: float) -> None:
        if self.recognition_takes is None:
            return
        text = self.hear(self._turn_begins.get(turn_id, 0.0), until)
        done = self.now + self.recognition_takes
        if text is None:
            self.schedule(done, ev.HypothesisFailed(turn_id, until))
        else:
            self.schedule(done, ev.HypothesisReady(turn_id, until, text, self.log_probability))

    def _words_between(self, begins: float, until: float) -> str:
        """The words said between two moments, each of a sentence's words taking equally long."""
        heard = []
        for start, end, text in self._spoken:
            words = text.split()
            if start >= begins - 0.3 and words:
                share = (until - start) / (end - start)
                heard += words[: max(0, round(share * len(words)))]
        return " ".join(heard)

    # What happened

    @property
    def state(self) -> State:
        """Who has the floor."""
        return self.conversation.state

    def expect(self, state: State) -> None:
        """Assert who has the floor."""
        assert self.conversation.state is state

    def all(self, kind: type[A]) -> list[A]:
        """The actions of a kind."""
        return [action for _, action in self.log if isinstance(action, kind)]

    def times(self, kind: type[Any]) -> list[float]:
        """When actions of a kind were asked for."""
        return [at for at, action in self.log if isinstance(action, kind)]

    def since(self, moment: float) -> list[Action]:
        """The actions from a moment on."""
        return [action for at, action in self.log if at >= moment]

    @property
    def confirmed(self) -> list[str]:
        """The words of the confirmed turns."""
        return [action.text for action in self.all(act.ConfirmTurn)]

    @property
    def phrases(self) -> list[Phrase]:
        """The phrases said, in order."""
        return [action.phrase for action in self.all(act.SayPhrase)]

    @property
    def discarded(self) -> list[str]:
        """Why turns were discarded."""
        return [action.reason for action in self.all(act.DiscardTurn)]

    @property
    def silence(self) -> float:
        """Seconds of silence until the one turn was confirmed."""
        ((at, turn),) = [(at, action) for at, action in self.log if isinstance(action, act.ConfirmTurn)]
        return at - turn.ended_at

    @property
    def ended(self) -> str | None:
        """Why the call ended, None while it goes on."""
        return next((action.reason for action in self.all(act.EndCall)), None)


def greeted(**options: Any) -> Script:
    """A conversation after its greeting: the clock stands at 10 s, nobody speaks."""
    script = Script(**options)
    script.now = 7.95
    script.feed(ev.CallStarted())
    script.run(10.0)
    script.expect(State.LISTENING)
    script.log.clear()
    return script


def asked(**options: Any) -> Script:
    """A caller has asked something from 10.5 to 12.0 and the turn is about to be confirmed at 12.2."""
    script = greeted(**options)
    script.says("What time do you close today?", 10.5, 12.0)
    return script


def kinds(actions: list[Action]) -> list[type[Action]]:
    """The types of actions."""
    return [type(action) for action in actions]
