"""Barge-in: the caller makes a sound over the agent. Pause, find out what it means, resume or cut.

While an overlap is only hinted at, no turn is open: a false alarm leaves no trace but a short pause.
"""

from __future__ import annotations

from agents.conversation import actions as act
from agents.conversation import answering, hearing, line, turn_end
from agents.conversation.actions import Phrase
from agents.conversation.model import ANSWER_DEADLINES, CallerTurn, Deadline, Floor, Owed, Sound, State
from agents.conversation.overlap import Overlap, judge_overlap, may_become_backchannel

LONGEST_GREETING = 2.5
"""Seconds that "Hello? Good morning, how may I help you?" over the opening may last and be no interruption."""


def begin_overlap(floor: Floor, now: float) -> None:
    """Pause the agent at the first hint of a voice, unless it may not be interrupted.

    An answer of which nothing was heard yet can always be held back: the caller had not finished.
    """
    answer = floor.current_answer
    may_wait = floor.policy.barge_in or not (answer.started or answer.phrase is not None)
    if floor.closing is not None or not may_wait:
        return
    floor.state = State.OVERLAP
    floor.suspended = floor.deadlines.suspend(now, *ANSWER_DEADLINES)
    floor.do(act.PausePlayout(answer.turn_id))
    # A line that breaks off in the middle of a hint must not keep the agent silent.
    floor.deadlines.set(Deadline.OVERLAP, now + floor.policy.overlap_timeout)
    line.expect_voice(floor, now)


def confirm_overlap(floor: Floor, at: float, now: float) -> None:
    """It is a voice: ask for its words early, and give it a limit."""
    if floor.turn is not None:
        return
    hearing.open_turn(floor, at)
    floor.deadlines.cancel(Deadline.OVERLAP)
    floor.deadlines.set(Deadline.INTERRUPTION, at + floor.policy.interruption_after)
    floor.deadlines.set(Deadline.PARTIAL, max(now, at + floor.policy.overlap_recognise_after))


def go_on(floor: Floor, now: float) -> None:
    """The voice over the agent is back after a gap: only what was voiced counts towards the limit."""
    turn = floor.turn
    floor.deadlines.cancel(Deadline.SPECULATE)
    if turn is not None and floor.deadlines.get(Deadline.INTERRUPTION) is None:
        left = floor.policy.interruption_after - (turn.voiced_until - turn.started_at)
        floor.deadlines.set(Deadline.INTERRUPTION, now + max(left, floor.policy.resume_after))


def fall_silent(floor: Floor, voiced_until: float, now: float) -> None:
    """The voice paused, or there was none."""
    if floor.turn is None:
        resume_agent(floor, now)
        return
    floor.deadlines.cancel(Deadline.INTERRUPTION)
    line.expect_pause(floor, voiced_until, now)


def be_silent(floor: Floor, now: float) -> None:
    """The voice stopped for certain, and no question for its words is due any more."""
    if floor.turn is None:
        resume_agent(floor, now)
    elif turn_end.has_unasked_words(floor):
        ask_words(floor, now)


def ask_words(floor: Floor, now: float) -> None:
    """The sound is over: what was it?"""
    if floor.deadlines.get(Deadline.OVERLAP) is None:  # a crackling line does not get more time
        floor.deadlines.set(Deadline.OVERLAP, now + floor.policy.overlap_timeout)
    if floor.open_turn.recognised:
        settle_overlap(floor, now)
    elif turn_end.has_unasked_words(floor):
        hearing.recognise(floor, now, urgent=True)


def settle_overlap(floor: Floor, now: float) -> None:
    """Words are there: what do they mean? While the caller still speaks only an interruption is certain."""
    turn = floor.open_turn
    silent = floor.sound is Sound.QUIET
    answering_us = _is_answered(floor)
    voiced = turn.voiced_until - turn.started_at
    verdict = judge_overlap(floor.policy, turn.text, turn.log_probability, voiced, answering=answering_us)
    confident = turn.log_probability > floor.policy.backchannel_log_probability
    certain = confident and not may_become_backchannel(floor.policy, turn.text, answering=answering_us)
    over = silent and turn.recognised
    if verdict is Overlap.INTERRUPTION and (over or certain):
        interrupt(floor, now)
    elif over:
        resume_agent(floor, now, verdict.value)
    elif not silent:
        floor.deadlines.set(Deadline.PARTIAL, now + floor.policy.resume_after)


def on_no_words(floor: Floor, now: float) -> None:
    """The recogniser brought nothing: ask again while the sound lasts, then judge it by its length."""
    if floor.sound is Sound.QUIET:
        on_overlap_timeout(floor, now)
    else:
        floor.deadlines.set(Deadline.PARTIAL, now + floor.policy.resume_after)


def on_interruption(floor: Floor, now: float) -> None:
    """The voice goes on: it is an interruption, unless we have listened and it is noise: we speak over that."""
    if floor.state is not State.OVERLAP:
        return
    turn = floor.open_turn
    if _may_be_a_greeting(floor, turn, now):
        floor.deadlines.set(Deadline.INTERRUPTION, now + floor.policy.resume_after)
        return
    listened = turn.covered - turn.started_at
    if turn.text or listened < floor.policy.interruption_after / 2:
        interrupt(floor, now)
    else:
        floor.deaf = True
        resume_agent(floor, now, "noise")


def _is_answered(floor: Floor) -> bool:
    """Whether the agent says the opening of a call that it placed: the other one has just picked up."""
    return floor.outbound and floor.current_answer.phrase is Phrase.GREETING


def _may_be_a_greeting(floor: Floor, turn: CallerTurn, now: float) -> bool:
    """Whether a voice over the opening has only said, so far, what one says on picking up."""
    if not turn.text or not _is_answered(floor) or now > turn.started_at + LONGEST_GREETING:
        return False
    return may_become_backchannel(floor.policy, turn.text, answering=True)


def on_overlap_timeout(floor: Floor, now: float) -> None:
    """No words in time for a sound that is over: by its length, then. A mere hint is not waited for."""
    if floor.state is not State.OVERLAP:
        return
    turn = floor.turn
    if turn is None:
        resume_agent(floor, now)
    elif floor.sound is not Sound.QUIET:
        floor.deadlines.set(Deadline.OVERLAP, now + floor.policy.resume_after)
    elif turn.voiced_until - turn.started_at > floor.policy.backchannel_longest:
        interrupt(floor, now)
    else:
        resume_agent(floor, now, "not recognised")


def interrupt(floor: Floor, now: float) -> None:
    """The floor is the caller's; what was not heard is gone."""
    turn, answer = floor.open_turn, floor.current_answer
    if answer.phrase is None and not answer.started:
        # Nothing was heard of the answer: the caller had not finished, and has taught us how long it pauses.
        floor.owed = Owed(answer.turn_id, answer.text)
        gap = turn.started_at - floor.last_turn_ended
        if gap <= floor.policy.longest_silence:
            floor.pauses.add(gap)
    elif answer.phrase is None and answer.failed is None:
        floor.failures = 0
    turn.took_floor = True
    answering.silence_agent(floor)
    floor.deadlines.cancel(Deadline.INTERRUPTION, Deadline.OVERLAP)
    if floor.sound is Sound.QUIET:
        turn_end.pause(floor, now)
        return
    hearing.hear(floor, now)
    if turn.text:
        hearing.judge_words(floor, turn)


def resume_agent(floor: Floor, now: float, reason: str = "false alarm") -> None:
    """It was no interruption: go on from the sample where the caller stopped hearing."""
    turn_end.abandon_turn(floor, reason)
    answer = floor.current_answer
    floor.state = State.SPEAKING if answer.started and not answer.drained else State.THINKING
    floor.do(act.ResumePlayout(answer.turn_id))
    if answer.completed and (answer.drained or not answer.spoken):
        answering.answer_over(floor, now)
    elif answer.failed is not None and (answer.drained or not answer.started):
        answering.recover(floor, now)
    elif floor.state is State.THINKING:
        answering.expect_sound(floor, now, floor.suspended)
