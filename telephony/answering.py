"""Who answered our call: a person, a machine, a screener or the network. Pure: the time is an argument.

Feed in what is heard (voice that starts and stops, words, tones), drain out what follows: wishes for words, verdicts,
the end of a machine's greeting. All times are seconds since the call was answered.

People say little and wait; machines talk on. That decides where the words do not, but only words that no person says
and tones of the network make a verdict `sure`, and nobody is hung up on for less: in doubt it is a person. There is a
verdict 2.5 s after the answer at the latest; later ones revise it until `close`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from telephony.greetings import Party, Reading, read_greeting
from telephony.tones import Tone, ToneHeard

_NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class AnsweringOptions:
    """Times in seconds.

    When words are asked for: `ask_voice` after the first sound; `last_ask` after the answer, the last that are there in
    time; every `ask_again` afterwards, while somebody talks on; at least `apart` from each other.

    How a verdict comes about: by `decide` after the answer there is one, which leaves a little of the 2.5 s. A person
    who has said something like one waits `pause`; whoever waits `long_pause` is one. Who talks for `long_speech`
    without a pause and with nothing else to go by is rather a machine, and so is who gave a name, with which a person
    ends, and still talks `introduction` after the first sound. What began as machines of every kind do, and is of none
    that is known after `opening`, is an answering machine. A beep after `beep_any` of speech may end a greeting, after
    `beep_after` it proves one. Without anything sure the watch ends at `watched`.

    When a greeting is over: after a silence of `silence`, or of `promised_silence` where it spoke of a tone; at
    `longest_greeting` it is taken to be.
    """

    decide: float = 2.45
    ask_voice: tuple[float, ...] = (0.9, 1.5)
    last_ask: float = 2.05
    ask_again: float = 1.5
    apart: float = 0.35
    pause: float = 0.6
    long_pause: float = 1.5
    long_speech: float = 1.6
    introduction: float = 0.9
    opening: float = 4.0
    beep_any: float = 0.5
    beep_after: float = 1.8
    watched: float = 25.0
    silence: float = 1.5
    promised_silence: float = 4.0
    longest_greeting: float = 40.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who answered, and why. `sure`: so much so that one may act on it; `confidence` in [0, 1].

    `takes_message`: False for a machine that records none, as far as is known.
    """

    party: Party
    why: str
    at: float
    sure: bool = False
    confidence: float = 0.5
    takes_message: bool = True


@dataclass(frozen=True, slots=True)
class WordsWanted:
    """The words up to now are wanted. `urgent`: a verdict waits for them."""

    urgent: bool


@dataclass(frozen=True, slots=True)
class GreetingOver:
    """The machine's greeting is over: after a beep, or because nothing follows; a beep may still come after that."""

    beep: bool
    at: float


Outcome: TypeAlias = Verdict | WordsWanted | GreetingOver


class AnsweringDetector:
    """Listens to one answered call.

    The methods that take what is heard return what follows from it, in order. `next_deadline` says when `tick` is due.
    """

    def __init__(self, options: AnsweringOptions | None = None) -> None:
        self.options = options or AnsweringOptions()
        self.verdict: Verdict | None = None
        self.reading = Reading()
        self._text = ""
        self._certain: float | None = None  # since when it is certain that it is no person
        self._heard_until = 0.0  # words are known up to here
        self._onset: float | None = None  # of the first sound
        self._stretch = 0.0  # when the speech began that no pause has ended since
        self._spoke = 0.0  # seconds of speech, without the stretch that goes on
        self._began: float | None = None  # of the speech that goes on
        self._hinted = False  # it may just have begun
        self._stopped: float | None = None
        self._asked = -_NEVER
        self._asks: list[float] = []
        self._beep: float | None = None
        self._takes_message = True
        self._over = False
        self._closed = False

    @property
    def settled(self) -> bool:
        """Whether no further verdict can come."""
        return self._closed or (self.verdict is not None and self.verdict.sure)

    @property
    def _listens(self) -> bool:
        """Whether words are still wanted: of a machine until its greeting is over, for how it goes on matters."""
        if self._closed or self._over:
            return False
        verdict = self.verdict
        return verdict is None or not verdict.sure or verdict.party in (Party.MACHINE, Party.SCREENER)

    def close(self) -> None:
        """A turn of the other one was answered: who it is does not matter any more."""
        self._closed = True

    def next_deadline(self, now: float) -> float | None:
        """When `tick` is due, later than `now`; None: not before something is heard."""
        times = [self._greeting_ends()]
        if self._listens:
            times += self._asks[:1]
        if not self.settled:
            times.append(self.options.watched)
            if self._certain is not None:
                times.append(self._certain + self.options.opening)
            if self.verdict is None:
                times.append(self.options.decide)
            if self._stopped is not None:
                times += [self._stopped + self.options.pause, self._stopped + self.options.long_pause]
        return min((time for time in times if now < time < _NEVER), default=None)

    # What is heard

    def speech_hinted(self, hinted: bool) -> None:
        """Somebody may have begun to speak, or has not after all."""
        self._hinted = hinted

    def speech_started(self, at: float, now: float) -> list[Outcome]:
        """Somebody speaks since `at`."""
        if self._onset is None:
            self._onset = at
            asks = [at + voice for voice in self.options.ask_voice]
            self._asks = sorted({min(ask, self.options.last_ask) for ask in asks} | {self.options.last_ask})
            self._asks = [ask for ask in self._asks if ask > now] or [max(now, at + self.options.ask_voice[0])]
        if self._stopped is None or at - self._stopped >= self.options.pause:
            self._stretch = at
        self._began, self._stopped, self._hinted = at, None, False
        return self.tick(now)

    def speech_stopped(self, at: float, now: float) -> list[Outcome]:
        """The voice fell silent at `at`."""
        if self._began is not None:
            self._spoke += max(0.0, at - self._began)
        self._began, self._stopped = None, at
        wanted = self._want(now) if self._heard_until < at else []
        return [*wanted, *self.tick(now)]

    def words(self, text: str, until: float, now: float, *, language: str = "en") -> list[Outcome]:
        """What was said from the answer until `until`, as the recogniser hears it now."""
        if until < self._heard_until:
            return []
        self._text, self._heard_until = text, until
        reading = read_greeting(text, language)
        if reading.certain or not self.reading.certain:
            self.reading = reading
        return self.tick(now)

    def tone(self, heard: ToneHeard, now: float) -> list[Outcome]:
        """A tone; its times are as the others."""
        outcomes: list[Outcome] = []
        match heard.tone:
            case Tone.BEEP:
                outcomes += self._on_beep(heard, now)
            case Tone.SPECIAL_INFORMATION:
                outcomes += self._decide(Party.CARRIER, "special information tone", now, sure=True, confidence=0.99)
            case Tone.FAX:
                self._takes_message = False
                outcomes += self._decide(Party.MACHINE, "fax", now, sure=True, confidence=0.99)
            case Tone.BUSY | Tone.CONGESTION if self.verdict is None or self.verdict.party is not Party.HUMAN:
                outcomes += self._decide(Party.CARRIER, heard.tone.value, now, sure=True, confidence=0.9)
        return [*outcomes, *self.tick(now)]

    def _on_beep(self, heard: ToneHeard, now: float) -> list[Outcome]:
        spoke = self._speech(heard.start)
        if spoke < self.options.beep_any:
            return []
        self._beep = heard.end
        if self._over:
            return [GreetingOver(True, now)]
        # Tills and ovens beep as well, while a person talks with us.
        if spoke >= self.options.beep_after and self.reading.human < 1.0:
            return self._decide(Party.MACHINE, "beep", now, sure=True, confidence=0.97)
        return []

    def tick(self, now: float) -> list[Outcome]:
        """What follows from the time alone."""
        outcomes: list[Outcome] = []
        if self._listens:
            outcomes += self._ask(now)
        if not self.settled:
            outcomes += self._judge(now)
        if not self._over and now >= self._greeting_ends():
            self._over = True
            outcomes.append(GreetingOver(self._beep is not None, now))
        return outcomes

    # Asking for words

    def _ask(self, now: float) -> list[Outcome]:
        if not self._asks or now < self._asks[0]:
            return []
        self._asks = [ask for ask in self._asks if ask > now]
        # Near the time limit also of one who is silent: soft speech is heard by the recogniser alone.
        last = self.verdict is None and now >= self.options.last_ask
        wanted = self._want(now) if self._began is not None or last else []
        if not self._asks and now < self.options.watched:
            self._asks = [now + self.options.ask_again]
        return wanted

    def _want(self, now: float) -> list[Outcome]:
        """Words are wanted, unless they have only just been asked for and nobody has fallen silent since."""
        if not self._listens or (self._began is not None and now - self._asked < self.options.apart):
            return []
        self._asked = now
        return [WordsWanted(urgent=self.verdict is None)]

    # Judging

    def _judge(self, now: float) -> list[Outcome]:
        reading = self.reading
        if reading.certain and self._certain is None:
            self._certain = now
        if self._certain is not None and (reading.specific or now >= self._certain + self.options.opening):
            return self._decide(reading.party, reading.phrase, now, sure=True, confidence=0.98)
        if now >= self.options.watched:
            outcomes = self._decide(Party.HUMAN, "nothing sure", now) if self.verdict is None else []
            self._closed = True
            return outcomes
        if self.verdict is None:
            return self._guess(now) if now >= self.options.decide else self._person_waits(now)
        if self.verdict.party is not Party.HUMAN and self._waits(now, self.options.pause) and reading.lean < 0.0:
            return self._decide(Party.HUMAN, "speaks like a person", now, confidence=0.8)
        return []

    def _person_waits(self, now: float) -> list[Outcome]:
        """Before the time is up: whoever has spoken and waits is a person."""
        if self._waits(now, self.options.pause) and self.reading.lean < 0.0:
            return self._decide(Party.HUMAN, "spoke and waits", now, confidence=0.9)
        if self._text and self._waits(now, self.options.long_pause) and self.reading.lean <= 0.0:
            return self._decide(Party.HUMAN, "waits", now, confidence=0.7)
        return []

    def _guess(self, now: float) -> list[Outcome]:
        """The time is up and nothing is sure."""
        reading = self.reading
        if self._onset is None:
            return self._decide(Party.HUMAN, "silence", now, confidence=0.5)
        if reading.lean > 0.0:
            return self._decide(reading.party, reading.phrase, now, confidence=min(0.9, 0.6 + 0.1 * reading.lean))
        if reading.lean < 0.0:
            return self._decide(Party.HUMAN, "speaks like a person", now, confidence=0.8)
        introduced = reading.introduced and now - self._onset >= self.options.introduction
        long = now - self._stretch >= self.options.long_speech
        speaks = self._began is not None or self._hinted
        if self._text and speaks and (introduced or long):
            return self._decide(Party.MACHINE, "talks on", now, confidence=0.6)
        return self._decide(Party.HUMAN, "spoke shortly", now, confidence=0.6)

    def _waits(self, now: float, pause: float) -> bool:
        """Whether somebody has spoken, waits for so long, and all the words are known."""
        stopped = self._stopped
        return stopped is not None and now >= stopped + pause and self._heard_until >= stopped

    def _decide(
        self, party: Party, why: str, now: float, *, sure: bool = False, confidence: float = 0.5
    ) -> list[Outcome]:
        if self.settled:
            return []
        takes_message = self._takes_message and not self.reading.full
        self.verdict = Verdict(party, why, now, sure, confidence, takes_message)
        return [self.verdict]

    # The end of a machine's greeting

    def _speech(self, until: float) -> float:
        """Seconds of speech up to then."""
        return self._spoke + (0.0 if self._began is None else max(0.0, until - self._began))

    def _greeting_ends(self) -> float:
        if self._over or self.verdict is None or self.verdict.party in (Party.HUMAN, Party.CARRIER):
            return _NEVER
        if self._beep is not None:
            return self._beep
        latest = self.options.longest_greeting
        if self._stopped is None or self._began is not None:
            return latest
        quiet = self.options.promised_silence if self.reading.beep_promised else self.options.silence
        return min(latest, self._stopped + quiet)
