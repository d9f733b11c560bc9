"""Hearing the caller's turn: its words while it lasts, and answers begun ahead of its end."""

from __future__ import annotations

from agents.conversation import actions as act
from agents.conversation import answering, barge_in, holding, turn_end
from agents.conversation import events as ev
from agents.conversation.model import CallerTurn, Deadline, Floor, Sound, State
from agents.conversation.words import normalise_words


def open_turn(floor: Floor, at: float) -> CallerTurn:
    """The caller has begun a turn."""
    turn = CallerTurn(floor.next_turn_id(), at, at)
    floor.turn = turn
    floor.do(act.OpenTurn(turn.id, at))
    floor.deadlines.cancel(Deadline.IDLE)
    return turn


def hear(floor: Floor, now: float) -> None:
    """The caller has the floor."""
    turn = floor.open_turn
    floor.state = State.HEARING
    floor.deadlines.cancel(Deadline.ENDPOINT, Deadline.RECOGNITION, Deadline.RESUMED, Deadline.SPECULATE)
    floor.deadlines.set(Deadline.LONGEST_TURN, turn.started_at + floor.policy.longest_turn * 4 / 3)
    next_partial(floor, now)
    if not turn.text:
        floor.deadlines.set(Deadline.WORDLESS, turn.started_at + floor.policy.wordless_after)


def next_partial(floor: Floor, now: float) -> None:
    """Ask for words again in a while, if the policy wants partial hypotheses."""
    if floor.policy.partial_interval > 0:
        floor.deadlines.set(Deadline.PARTIAL, now + floor.policy.partial_interval)


def on_partial_due(floor: Floor, now: float) -> None:
    """Ask for words in between; after a pause it is asked for more urgently anyway."""
    if floor.state is State.WEIGHING:
        if not floor.open_turn.recognised:
            recognise(floor, now, urgent=True)
    elif floor.turn is not None and floor.sound is not Sound.QUIET:
        recognise(floor, now, urgent=floor.state is State.OVERLAP)


def recognise(floor: Floor, now: float, *, urgent: bool) -> None:
    """Ask for the words up to now."""
    turn = floor.open_turn
    turn.requested = now
    floor.do(act.Recognise(turn.id, now, urgent))


def on_hypothesis(floor: Floor, event: ev.HypothesisReady, now: float) -> None:
    """Words: they may change what is being answered, or end the wait for them."""
    turn = floor.open_turn
    if event.covers < turn.covered:
        return
    turn.covered = event.covers
    words = normalise_words(event.text)
    if words != normalise_words(turn.text):
        turn.words = None
    turn.text, turn.log_probability = event.text if words else "", event.log_probability
    if turn.text:
        floor.deadlines.cancel(Deadline.WORDLESS)
    if floor.state is State.OVERLAP:
        barge_in.settle_overlap(floor, now)
        return
    if floor.state is State.HEARING:
        next_partial(floor, now)
    if turn.text:
        judge_words(floor, turn)
    if floor.state is State.WEIGHING:
        if turn.text and turn.recognised:
            speculate(floor, turn)
        turn_end.weigh(floor, now)


def on_no_hypothesis(floor: Floor, event: ev.HypothesisFailed, now: float) -> None:
    """No words this time: without words there is no turn to answer, so ask again."""
    turn = floor.open_turn
    if event.covers < turn.requested:
        return  # a newer request is on its way
    turn.requested = turn.covered
    if floor.state is State.HEARING:
        next_partial(floor, now)
    elif floor.state is State.OVERLAP:
        barge_in.on_no_words(floor, now)
    elif not turn.recognised:
        floor.deadlines.set(Deadline.PARTIAL, now + floor.policy.resume_after)


def judge_words(floor: Floor, turn: CallerTurn) -> None:
    """Ask once whether these words can be a whole turn."""
    words = normalise_words(turn.text)
    if turn.words_asked != words:
        turn.words_asked = words
        floor.do(act.JudgeWords(turn.id, turn.text))


def on_words(floor: Floor, event: ev.WordsScored, now: float) -> None:
    """The words are judged; a whole turn may be answered before it is known that nothing follows."""
    turn = floor.open_turn
    turn.words = event.probability
    if floor.state in (State.HEARING, State.WEIGHING) and turn.words >= floor.policy.words_sure:
        speculate(floor, turn)
    if floor.state is State.WEIGHING:
        turn_end.weigh(floor, now)


def speculate(floor: Floor, turn: CallerTurn) -> None:
    """Have an answer to these words under way, unless it already is."""
    if answers(floor, turn.text):
        return
    answering.drop_answer(floor)
    if holding.asks_to_wait(floor.policy, turn.text):
        return
    if turn.speculations < floor.policy.most_speculations:
        turn.speculations += 1
        answering.prepare(floor, turn.id, turn.text)


def answers(floor: Floor, text: str) -> bool:
    """Whether the answer under way is an answer to these words."""
    answer = floor.answer
    return (
        answer is not None
        and answer.phrase is None
        and answer.failed is None
        and not answer.playing
        and normalise_words(answer.text) == normalise_words(text)
    )


def on_longest_turn(floor: Floor, now: float) -> None:
    """The caller does not stop: what was said so far is the turn, the rest of this breath is not heard."""
    if floor.state is State.HEARING:
        turn = floor.open_turn
        floor.deaf = floor.sound is not Sound.QUIET
        turn.forced, turn.voiced_until = True, now
        turn_end.pause(floor, now)


def on_wordless(floor: Floor, now: float) -> None:
    """A voice without words is a radio or a fan: ignore it until it stops."""
    turn = floor.open_turn
    if floor.state is not State.HEARING or floor.sound is Sound.QUIET or turn.text:
        return
    lately = now - floor.policy.wordless_after / 2
    if turn.covered < lately:  # nobody has listened for words lately
        floor.deadlines.set(Deadline.WORDLESS, now + floor.policy.wordless_after / 2)
        if turn.requested < lately:
            recognise(floor, now, urgent=False)
        return
    floor.deaf = True
    turn_end.give_up(floor, "noise", now)
