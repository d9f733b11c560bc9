"""The agent's answer: preparing, playing, failing, and the phrases it says of its own accord."""

from __future__ import annotations

from agents.conversation import actions as act
from agents.conversation import barge_in, holding, waiting
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.model import ANSWER_DEADLINES, Answer, Deadline, Floor, Sound, State


def prepare(floor: Floor, turn_id: int, text: str, *, retries: int = 0) -> None:
    """Begin an answer to a turn, to be held until the turn is confirmed."""
    floor.answer = Answer(floor.next_id(), turn_id, text, retries=retries)
    floor.do(act.PrepareAnswer(turn_id, floor.answer.id, text))


def play(floor: Floor, now: float) -> None:
    """The floor is the agent's; a caller who is speaking just then is heard out first."""
    answer = floor.current_answer
    answer.playing = True
    floor.state = State.THINKING
    expect_sound(floor, now)
    if answer.phrase is None:
        floor.do(act.PlayAnswer(answer.turn_id, answer.id))
    else:
        floor.do(act.SayPhrase(answer.turn_id, answer.id, answer.phrase, answer.text))
    if floor.sound is not Sound.QUIET and not floor.deaf:
        barge_in.begin_overlap(floor, now)
        if floor.sound is Sound.VOICED and floor.state is State.OVERLAP:
            barge_in.confirm_overlap(floor, max(floor.hinted_at, floor.last_turn_ended), now)


def expect_sound(floor: Floor, now: float, left: dict[Deadline, float] | None = None) -> None:
    """Do not wait for ever for an answer's sound; `left` is what remains of an earlier wait for it."""
    fresh = {Deadline.HOLD: floor.policy.hold_after, Deadline.ANSWER: floor.policy.answer_timeout}
    floor.deadlines.resume(left or fresh, now)


def say(floor: Floor, phrase: Phrase, now: float, text: str = "") -> None:
    """Say one of the agent's own phrases, in place of whatever was to be said."""
    drop_answer(floor)
    floor.deadlines.cancel(Deadline.IDLE)
    turn_id = floor.next_turn_id()
    floor.answer = Answer(floor.next_id(), turn_id, text, phrase)
    play(floor, now)


def close(floor: Floor, phrase: Phrase, reason: str, now: float, text: str = "") -> None:
    """Say a last phrase that cannot be interrupted, then hang up."""
    floor.closing, floor.digits = reason, ""
    floor.deadlines.cancel(Deadline.DIGITS)
    floor.deadlines.set(Deadline.CALL, now + floor.policy.closing_timeout)
    say(floor, phrase, now, text)


def on_playout_started(floor: Floor, _event: ev.PlayoutStarted, _now: float) -> None:
    """The caller hears the answer."""
    answer = floor.current_answer
    answer.started, answer.drained = True, False
    floor.deadlines.cancel(*ANSWER_DEADLINES)
    floor.suspended = {}
    if floor.state is State.THINKING:
        floor.state = State.SPEAKING


def on_completed(floor: Floor, event: ev.AnswerCompleted, now: float) -> None:
    """All of the answer is with playout."""
    answer = floor.current_answer
    answer.completed, answer.spoken = True, event.spoken
    answer.end_call, answer.hold = event.end_call, event.hold
    if floor.state in (State.THINKING, State.SPEAKING) and (answer.drained or not answer.spoken):
        answer_over(floor, now)


def on_drained(floor: Floor, _event: ev.PlayoutDrained, now: float) -> None:
    """The caller has heard all there is so far: the end, or more is to come, but not for ever."""
    answer = floor.current_answer
    answer.drained = True
    if floor.state not in (State.THINKING, State.SPEAKING):
        return
    if answer.completed:
        answer_over(floor, now)
    elif answer.failed is not None:
        recover(floor, now)
    else:
        floor.state = State.THINKING
        expect_sound(floor, now)


def answer_over(floor: Floor, now: float) -> None:
    """The answer has been heard to its end: listen, or hang up if it was the last."""
    answer = floor.current_answer
    if not (answer.spoken or answer.phrase or answer.end_call is not None or answer.hold):
        recover(floor, now)
        return
    if answer.phrase is None:
        floor.failures = 0
    floor.do(act.CloseAnswer(answer.turn_id, answer.id))
    floor.answer = None
    floor.deadlines.cancel(*ANSWER_DEADLINES)
    if floor.closing is not None or answer.end_call is not None:
        waiting.end(floor, floor.closing or answer.end_call or "agent")
    else:
        if answer.hold:
            holding.begin(floor, now)
        waiting.hand_over(floor, now)


def on_failed(floor: Floor, event: ev.AnswerFailed, now: float) -> None:
    """The answer broke; act on it once the caller has heard what there was."""
    answer = floor.current_answer
    answer.failed = event.reason
    if not answer.playing:
        # A speculation that failed costs nothing; the confirmed turn asks anew.
        drop_answer(floor)
    elif floor.state is State.THINKING:
        recover(floor, now)


def on_answer_timeout(floor: Floor, now: float) -> None:
    """No sound came in time."""
    if floor.state is State.THINKING:
        recover(floor, now)


def recover(floor: Floor, now: float) -> None:
    """An answer failed while the caller waits: try again, apologise, or say goodbye. Never silence."""
    answer = floor.current_answer
    drop_answer(floor)
    if not answer.drained and answer.spoken:
        # What is on its way and was not heard yet must not be heard before its replacement.
        floor.do(act.CutPlayout(answer.turn_id))
    if floor.closing is not None:
        waiting.end(floor, floor.closing)
    elif answer.phrase is Phrase.APOLOGY:
        waiting.end(floor, "voice failed")
    elif answer.phrase is not None:
        waiting.hand_over(floor, now)
    elif not answer.started and answer.retries < floor.policy.answer_retries:
        prepare(floor, answer.turn_id, answer.text, retries=answer.retries + 1)
        play(floor, now)
    else:
        floor.failures += 1
        if floor.failures >= floor.policy.most_failures:
            close(floor, Phrase.GOODBYE, "answers failed", now)
        else:
            say(floor, Phrase.APOLOGY, now)


def on_hold(floor: Floor, _now: float) -> None:
    """The caller should not wait in silence."""
    answer = floor.current_answer
    if floor.state is State.THINKING and answer.phrase is None and not answer.held:
        answer.held = True
        floor.do(act.SayFiller(answer.turn_id, answer.id, Phrase.HOLD))


def drop_answer(floor: Floor) -> None:
    """Forget the current answer, if there is one."""
    if floor.answer is not None:
        floor.do(act.DropAnswer(floor.answer.turn_id, floor.answer.id))
        floor.answer = None
        floor.deadlines.cancel(*ANSWER_DEADLINES)


def silence_agent(floor: Floor) -> None:
    """Cut what the agent says or is about to say."""
    if floor.answer is not None and floor.answer.playing:
        floor.do(act.CutPlayout(floor.answer.turn_id))
    drop_answer(floor)
