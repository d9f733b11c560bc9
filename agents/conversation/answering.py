"""The agent's answer: preparing, playing, failing, and the phrases it says of its own accord."""

from __future__ import annotations

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation import waiting
from agents.conversation.actions import Phrase
from agents.conversation.model import ANSWER_DEADLINES, Answer, CallerTurn, Deadline, Floor, State


def prepare(floor: Floor, turn: CallerTurn) -> None:
    """Begin an answer to a turn, to be held until the turn is confirmed."""
    answer = Answer(floor.next_id(), turn.id, turn.text)
    floor.answer = answer
    floor.do(act.PrepareAnswer(turn.id, answer.id, turn.text))


def play(floor: Floor, now: float) -> None:
    """The floor is the agent's."""
    answer = floor.current_answer
    answer.playing = True
    floor.state = State.THINKING
    floor.deadlines.set(Deadline.HOLD, now + floor.policy.hold_after)
    floor.deadlines.set(Deadline.ANSWER, now + floor.policy.answer_timeout)
    if answer.phrase is None:
        floor.do(act.PlayAnswer(answer.turn_id, answer.id))
    else:
        floor.do(act.SayPhrase(answer.turn_id, answer.id, answer.phrase))


def say(floor: Floor, phrase: Phrase, now: float) -> None:
    """Say one of the agent's own phrases, in place of whatever was to be said."""
    drop_answer(floor)
    floor.deadlines.cancel(Deadline.IDLE)
    turn_id = floor.next_id()
    floor.answer = Answer(floor.next_id(), turn_id, "", phrase)
    play(floor, now)


def close(floor: Floor, phrase: Phrase, reason: str, now: float) -> None:
    """Say a last phrase that cannot be interrupted, then hang up."""
    floor.closing = reason
    say(floor, phrase, now)


def on_playout_started(floor: Floor, _event: ev.PlayoutStarted, _now: float) -> None:
    """The caller hears the answer."""
    answer = floor.current_answer
    answer.started, answer.drained = True, False
    floor.deadlines.cancel(*ANSWER_DEADLINES)
    if floor.state is State.THINKING:
        floor.state = State.SPEAKING


def on_completed(floor: Floor, event: ev.AnswerCompleted, now: float) -> None:
    """All of the answer is with playout."""
    answer = floor.current_answer
    answer.completed, answer.spoken, answer.end_call = True, event.spoken, event.end_call
    if floor.state in (State.THINKING, State.SPEAKING) and (answer.drained or not answer.spoken):
        answer_over(floor, now)


def on_drained(floor: Floor, _event: ev.PlayoutDrained, now: float) -> None:
    """The caller has heard all there is so far."""
    answer = floor.current_answer
    answer.drained = True
    if floor.state not in (State.THINKING, State.SPEAKING):
        return
    if answer.completed:
        answer_over(floor, now)
    elif answer.failed is not None:
        recover(floor, now)
    else:  # the answer ran dry: more is to come, but not for ever
        floor.state = State.THINKING
        floor.deadlines.set(Deadline.HOLD, now + floor.policy.hold_after)
        floor.deadlines.set(Deadline.ANSWER, now + floor.policy.answer_timeout)


def answer_over(floor: Floor, now: float) -> None:
    """The answer has been heard to its end: listen, or hang up if it was the last."""
    answer = floor.current_answer
    if not answer.spoken and answer.phrase is None and answer.end_call is None:
        fail(floor, "the answer had no sound", now)
        return
    if answer.phrase is None:
        floor.failures = 0
    floor.do(act.CloseAnswer(answer.turn_id, answer.id))
    floor.answer = None
    floor.deadlines.cancel(*ANSWER_DEADLINES)
    if floor.closing is not None or answer.end_call is not None:
        waiting.end(floor, floor.closing or answer.end_call or "agent")
    else:
        waiting.listen(floor, now)


def on_failed(floor: Floor, event: ev.AnswerFailed, now: float) -> None:
    """The answer broke; act on it once the caller has heard what there was."""
    answer = floor.current_answer
    answer.failed = event.reason
    if not answer.playing:
        # A speculation that failed costs nothing; the confirmed turn asks anew.
        drop_answer(floor)
    elif floor.state is State.THINKING or (floor.state is State.SPEAKING and answer.drained):
        recover(floor, now)


def on_answer_timeout(floor: Floor, now: float) -> None:
    """No sound came in time."""
    if floor.state is State.THINKING:
        fail(floor, "the answer took too long", now)


def fail(floor: Floor, reason: str, now: float) -> None:
    """Count the current answer as failed."""
    floor.current_answer.failed = reason
    recover(floor, now)


def recover(floor: Floor, now: float) -> None:
    """An answer failed while the caller waits: try again, apologise, or say goodbye. Never silence."""
    answer = floor.current_answer
    floor.do(act.DropAnswer(answer.turn_id, answer.id))
    floor.answer = None
    if floor.closing is not None:
        waiting.end(floor, floor.closing)
    elif answer.phrase is Phrase.APOLOGY:
        waiting.end(floor, "voice failed")
    elif answer.phrase is not None:
        waiting.listen(floor, now)
    elif not answer.started and answer.retries < floor.policy.answer_retries:
        again = Answer(floor.next_id(), answer.turn_id, answer.text, retries=answer.retries + 1)
        floor.answer = again
        floor.do(act.PrepareAnswer(again.turn_id, again.id, again.text))
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
