"""Who answered, told from what is heard and when; pure, on a clock of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.answering import AnsweringDetector, AnsweringOptions, GreetingOver, Outcome, Verdict, WordsWanted
from telephony.greetings import Party
from telephony.tones import Tone, ToneHeard


class Call:
    """Plays a call to a detector: ticks when they are due, and keeps what comes out."""

    def __init__(self, options: AnsweringOptions | None = None) -> None:
        self.detector = AnsweringDetector(options)
        self.now = 0.0
        self.outcomes: list[tuple[float, Outcome]] = []

    def passes(self, until: float) -> None:
        while (at := self.detector.next_deadline(self.now)) is not None and at <= until:
            self.now = at
            self._note(self.detector.tick(at))
        self.now = until

    def speaks(self, begin: float, end: float, text: str | None = None) -> None:
        """A voice from `begin` to `end`; the words come 0.2 s after its end, where they are told."""
        self.passes(begin + 0.1)
        self._note(self.detector.speech_started(begin, self.now))
        self.passes(end + 0.15)
        self._note(self.detector.speech_stopped(end, self.now))
        if text is not None:
            self.says(text, until=end, at=end + 0.2)

    def says(self, text: str, *, until: float, at: float) -> None:
        self.passes(at)
        self._note(self.detector.words(text, until, self.now))

    def sounds(self, tone: Tone, begin: float, end: float) -> None:
        self.passes(end + 0.15)
        self._note(self.detector.tone(ToneHeard(tone, begin, end), self.now))

    def _note(self, outcomes: list[Outcome]) -> None:
        self.outcomes += [(self.now, outcome) for outcome in outcomes]

    @property
    def verdicts(self) -> list[Verdict]:
        return [outcome for _, outcome in self.outcomes if isinstance(outcome, Verdict)]

    @property
    def last(self) -> Verdict:
        return self.verdicts[-1]

    @property
    def asked(self) -> list[float]:
        return [round(at, 2) for at, outcome in self.outcomes if isinstance(outcome, WordsWanted)]

    @property
    def over(self) -> list[tuple[float, bool]]:
        return [(round(at, 2), what.beep) for at, what in self.outcomes if isinstance(what, GreetingOver)]


def test_somebody_who_says_hello_and_waits_is_a_person() -> None:
    call = Call()
    call.speaks(0.4, 0.9, "Hello?")
    call.passes(1.6)
    assert (call.last.party, call.last.sure) == (Party.HUMAN, False)
    assert call.last.at == pytest.approx(1.5)


def test_silence_is_taken_for_a_person() -> None:
    call = Call()
    call.passes(2.5)
    assert (call.last.party, call.last.why) == (Party.HUMAN, "silence")


def test_there_is_a_verdict_in_time_whatever_is_heard() -> None:
    call = Call()
    call.speaks(2.3, 2.6)
    assert call.verdicts[0].at <= 2.5


def test_who_leaves_a_message_to_be_left_is_a_machine_at_once() -> None:
    call = Call()
    call.detector.speech_started(0.3, 0.4)
    call.says("Please leave a message after", until=1.4, at=1.6)
    assert (call.last.party, call.last.sure, call.last.at) == (Party.MACHINE, True, 1.6)


def test_who_talks_on_is_rather_a_machine_but_nothing_is_done_about_it() -> None:
    call = Call()
    call.detector.speech_started(0.4, 0.5)
    call.says("The weather in the north", until=2.1, at=2.3)
    call.passes(2.5)
    assert (call.last.party, call.last.sure) == (Party.MACHINE, False)


def test_talk_without_words_is_no_machine() -> None:
    call = Call()
    call.detector.speech_started(0.2, 0.3)
    call.says("", until=2.1, at=2.3)
    call.passes(2.5)
    assert call.last.party is Party.HUMAN


def test_a_receptionist_is_a_person_in_the_end() -> None:
    call = Call()
    call.detector.speech_started(0.3, 0.4)
    call.says("Thank you for calling Bella", until=2.1, at=2.3)
    call.passes(3.9)
    call.detector.speech_stopped(3.8, 3.95)
    call.says("Thank you for calling Bella Pizza, what can I get you?", until=3.8, at=4.1)
    call.passes(5.0)
    assert [verdict.party for verdict in call.verdicts] == [Party.MACHINE, Party.HUMAN]
    assert not any(verdict.sure for verdict in call.verdicts)


def test_a_greeting_that_began_like_a_person_is_found_out_later() -> None:
    call = Call()
    call.speaks(0.3, 0.8, "Hello.")
    call.speaks(1.8, 5.0, "Hello. Please leave a message after the tone.")
    assert [verdict.party for verdict in call.verdicts] == [Party.HUMAN, Party.MACHINE]
    assert call.last.sure


def test_nothing_is_revised_after_a_turn_was_answered() -> None:
    call = Call()
    call.speaks(0.3, 0.8, "Hello?")
    call.passes(3.0)
    call.detector.close()
    call.speaks(4.0, 7.0, "Please leave a message after the tone.")
    call.sounds(Tone.SPECIAL_INFORMATION, 7.0, 8.0)
    assert call.last.party is Party.HUMAN
    assert call.detector.settled


def test_a_beginning_that_all_machines_share_waits_for_what_kind_it_is() -> None:
    call = Call()
    call.detector.speech_started(0.3, 0.4)
    call.says("The person you're calling", until=1.3, at=1.5)
    call.passes(2.5)
    assert (call.last.party, call.last.sure) == (Party.MACHINE, False)
    call.says("The person you're calling is using a screening service", until=3.0, at=3.2)
    assert (call.last.party, call.last.sure) == (Party.SCREENER, True)


def test_a_beginning_that_all_machines_share_is_a_machine_where_nothing_else_comes() -> None:
    call = Call()
    call.detector.speech_started(0.3, 0.4)
    call.says("The person you're calling", until=1.3, at=1.5)
    call.passes(6.0)
    assert (call.last.party, call.last.sure) == (Party.MACHINE, True)


def test_a_beep_after_a_greeting_is_a_machine() -> None:
    call = Call()
    call.speaks(0.4, 2.6, "Hey, it's Adam, do what you do.")
    call.sounds(Tone.BEEP, 3.0, 3.4)
    assert (call.last.party, call.last.why, call.last.sure) == (Party.MACHINE, "beep", True)
    assert call.over == [(3.55, True)]


@pytest.mark.parametrize(
    ("end", "text"), [(0.9, "Hello?"), (3.0, "Hello, hello, who is this? Hello?"), (3.0, "Tesco, Anna speaking")]
)
def test_a_till_that_beeps_beside_a_person_is_none(end: float, text: str) -> None:
    call = Call()
    call.speaks(0.4, end, text)
    call.sounds(Tone.BEEP, end + 0.5, end + 0.8)
    call.passes(8.0)
    assert call.last.party is Party.HUMAN
    assert call.over == []


def test_the_network_says_so_itself() -> None:
    call = Call()
    call.sounds(Tone.SPECIAL_INFORMATION, 0.2, 1.3)
    assert (call.last.party, call.last.sure) == (Party.CARRIER, True)


@pytest.mark.parametrize("tone", [Tone.BUSY, Tone.CONGESTION])
def test_a_busy_signal_is_the_networks_unless_a_person_is_there(tone: Tone) -> None:
    call = Call()
    call.sounds(tone, 0.0, 1.5)
    assert (call.last.party, call.last.why, call.last.sure) == (Party.CARRIER, tone.value, True)
    person = Call()
    person.speaks(0.3, 0.8, "Hello?")
    person.passes(2.0)
    person.sounds(tone, 2.0, 4.0)
    assert person.last.party is Party.HUMAN


def test_a_fax_and_a_full_mailbox_take_no_message() -> None:
    fax, full = Call(), Call()
    fax.sounds(Tone.FAX, 0.0, 1.3)
    assert (fax.last.party, fax.last.takes_message) == (Party.MACHINE, False)
    full.speaks(0.3, 2.0, "The mailbox is full and cannot accept any messages.")
    assert (full.last.party, full.last.takes_message) == (Party.MACHINE, False)


def test_words_are_asked_for_while_they_can_still_be_there_in_time() -> None:
    call = Call()
    call.passes(0.5)
    call.detector.speech_started(0.4, 0.5)
    call.passes(2.5)
    assert call.asked == [1.3, 1.9]
    urgent = [outcome.urgent for _, outcome in call.outcomes if isinstance(outcome, WordsWanted)]
    assert urgent == [True, True]


def test_words_are_asked_for_at_the_pause_and_later_without_haste() -> None:
    call = Call()
    call.speaks(0.3, 0.7)
    assert call.asked == [0.85]
    call.passes(3.0)
    call.detector.speech_started(3.0, 3.1)
    call.passes(9.0)
    later = [outcome.urgent for at, outcome in call.outcomes if isinstance(outcome, WordsWanted) and at > 2.5]
    assert later
    assert not any(later)


def test_older_words_do_not_replace_newer_ones() -> None:
    call = Call()
    call.detector.speech_started(0.3, 0.4)
    call.says("Please leave a", until=2.0, at=2.2)
    reading = call.detector.reading
    call.says("Please", until=1.0, at=2.3)
    assert call.detector.reading is reading


def test_without_a_beep_the_greeting_is_over_when_nothing_follows() -> None:
    call = Call()
    call.speaks(0.3, 4.0, "I can't take your call, leave me a message and I'll get back to you.")
    call.passes(10.0)
    assert call.over == [(5.5, False)]


def test_a_beep_that_was_promised_is_waited_for() -> None:
    call = Call()
    call.speaks(0.3, 4.0, "Please leave a message after the tone.")
    call.passes(7.0)
    assert call.over == []
    call.sounds(Tone.BEEP, 7.0, 7.4)
    assert call.over == [(7.55, True)]


def test_a_beep_that_comes_too_late_is_told_as_well() -> None:
    call = Call()
    call.speaks(0.3, 4.0, "Please leave a message after the tone.")
    call.sounds(Tone.BEEP, 9.0, 9.4)
    assert call.over == [(8.0, False), (9.55, True)]


def test_a_greeting_that_never_ends_is_taken_to_be_over() -> None:
    call = Call()
    call.detector.speech_started(0.3, 0.4)
    call.says("Please leave a message after the tone", until=2.0, at=2.2)
    call.passes(60.0)
    assert call.over == [(40.0, False)]


def test_the_watch_ends_and_it_is_a_person() -> None:
    call = Call()
    call.passes(30.0)
    assert call.detector.settled
    assert call.detector.next_deadline(30.0) is None
    assert call.last.party is Party.HUMAN


heard = st.one_of(
    st.tuples(st.just("speaks"), st.floats(0.05, 4.0), st.sampled_from(["", "Hello?", "leave a message", "Ann here"])),
    st.tuples(st.just("tone"), st.floats(0.1, 2.0), st.sampled_from(list(Tone))),
    st.tuples(st.just("pause"), st.floats(0.0, 5.0), st.none()),
)


@given(st.lists(heard, max_size=12))
def test_whatever_is_heard_there_is_a_verdict_in_time_and_a_sure_one_stays(
    script: list[tuple[str, float, object]],
) -> None:
    call = Call()
    at = 0.0
    for kind, seconds, what in script:
        at += 0.2
        if kind == "speaks":
            call.speaks(at, at + seconds, str(what))
        elif kind == "tone" and isinstance(what, Tone):
            call.sounds(what, at, at + seconds)
        at = max(at + seconds, call.now)
    call.passes(at + 45.0)
    assert call.verdicts[0].at <= 2.5
    sure = [number for number, verdict in enumerate(call.verdicts) if verdict.sure]
    assert sure in ([], [len(call.verdicts) - 1])
    assert call.detector.next_deadline(call.now) is None
    said = " ".join(str(what) for kind, _, what in script if kind == "speaks")
    if "leave" not in said and not any(kind == "tone" for kind, _, _ in script):
        assert not sure, "a person was hung up on"
