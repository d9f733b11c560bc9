"""Barge-in: the caller makes a sound over the agent. Pause, find out what it means, resume or cut."""

from __future__ import annotations

from agents.conversation import actions as act
from agents.conversation import answering, hearing
from agents.conversation.model import TURN_DEADLINES, Deadline, Floor, Sound, State
from agents.conversation.overlap import Overlap, judge_overlap


def overlap_confirmed(floor: Floor) -> bool:
    """Whether what was hinted at turned out to be voice."""
    return floor.deadlines.get(Deadline.INTERRUPTION) is not None


def begin_overlap(floor: Floor, at: float) -> None:
    """Pause the agent at the first hint of a voice, unless it may not be interrupted."""
    if not floor.policy.barge_in or floor.closing is not None:
        return
    floor.state = State.OVERLAP
    floor.do(act.PausePlayout(floor.current_answer.turn_id))
    hearing.open_turn(floor, at)


def confirm_overlap(floor: Floor, at: float, now: float) -> None:
    """It is a voice: ask for its words early, and give it a limit."""
    turn = floor.open_turn
    turn.started_at = min(turn.started_at, at)
    if not overlap_confirmed(floor):
        floor.deadlines.set(Deadline.INTERRUPTION, turn.started_at + floor.policy.interruption_after)
        floor.deadlines.set(Deadline.PARTIAL, max(now, turn.started_at + floor.policy.overlap_recognise_after))


def settle_overlap(floor: Floor, now: float) -> None:
    """Words are there: what do they mean? While the caller still speaks only an interruption is certain."""
    turn = floor.open_turn
    quiet = floor.sound is Sound.QUIET and turn.recognised
    verdict = judge_overlap(floor.policy, turn.text, turn.log_probability, turn.voiced_until - turn.started_at)
    certain = turn.log_probability > floor.policy.backchannel_log_probability
    if verdict is Overlap.INTERRUPTION and (quiet or certain):
        interrupt(floor, now)
    elif quiet:
        resume_agent(floor, verdict.value, now)
    else:
        hearing.next_partial(floor, now)


def on_interruption(floor: Floor, now: float) -> None:
    """The voice goes on: with words it is an interruption, without any it is noise we speak over."""
    if floor.state is not State.OVERLAP or floor.sound is Sound.QUIET:
        return
    turn = floor.open_turn
    if turn.covered > turn.started_at and not turn.text:
        floor.deaf = True
        resume_agent(floor, "noise", now)
    else:
        interrupt(floor, now)


def on_overlap_timeout(floor: Floor, now: float) -> None:
    """No words in time for a sound that is over: by its length, then."""
    if floor.state is not State.OVERLAP or floor.sound is not Sound.QUIET:
        return
    turn = floor.open_turn
    if turn.voiced_until - turn.started_at > floor.policy.backchannel_longest:
        interrupt(floor, now)
    else:
        resume_agent(floor, "not recognised", now)


def interrupt(floor: Floor, now: float) -> None:
    """The floor is the caller's; what was not heard is gone."""
    turn = floor.open_turn
    if floor.answer is not None and not floor.answer.started and floor.answer.phrase is None:
        # Nothing was heard of the answer: the caller had not finished, and has taught us how long it pauses.
        floor.pauses.add(turn.started_at - floor.last_turn_ended)
    answering.silence_agent(floor)
    floor.reprompts = 0
    floor.deadlines.cancel(Deadline.INTERRUPTION, Deadline.OVERLAP)
    if floor.sound is Sound.QUIET:
        hearing.pause(floor, now)
        return
    hearing.hear(floor, now)
    if turn.text:
        hearing.judge_words(floor, turn)


def resume_agent(floor: Floor, reason: str, now: float) -> None:
    """It was no interruption: go on from the sample where the caller stopped hearing."""
    abandon_overlap(floor, reason)
    answer = floor.current_answer
    floor.state = State.SPEAKING if answer.started and not answer.drained else State.THINKING
    floor.do(act.ResumePlayout(answer.turn_id))
    if floor.state is State.THINKING:
        floor.deadlines.set(Deadline.ANSWER, now + floor.policy.answer_timeout)
    if answer.failed is not None and (answer.drained or not answer.started):
        answering.recover(floor, now)
    elif answer.completed and (answer.drained or not answer.spoken):
        answering.answer_over(floor, now)


def abandon_overlap(floor: Floor, reason: str) -> None:
    """Forget the sound; what was a voice is recorded as no turn."""
    turn = floor.open_turn
    if overlap_confirmed(floor) or floor.deaf:
        floor.do(act.DiscardTurn(turn.id, reason, turn.text))
    floor.turn = None
    floor.deadlines.cancel(*TURN_DEADLINES)
