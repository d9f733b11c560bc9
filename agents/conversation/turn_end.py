"""The end of the caller's turn: weighing a pause, waiting for the words, confirming or giving up."""

from __future__ import annotations

from agents.conversation import actions as act
from agents.conversation import answering, hearing, holding, waiting
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.endpointing import required_silence
from agents.conversation.model import TURN_DEADLINES, CallerTurn, Deadline, Floor, Sound, State


def pause(floor: Floor, now: float) -> None:
    """A provisional end of the turn: ask the recogniser and both judges."""
    turn = floor.open_turn
    floor.state = State.WEIGHING
    turn.revision += 1
    turn.prosody = None
    floor.deadlines.cancel(Deadline.PARTIAL, Deadline.SPECULATE)
    floor.do(act.JudgeProsody(turn.id, turn.revision))
    floor.deadlines.set(Deadline.RECOGNITION, now + floor.policy.recognition_timeout)
    if has_unasked_words(floor):
        hearing.recognise(floor, now, urgent=True)
    elif turn.recognised and turn.text:
        hearing.judge_words(floor, turn)
        hearing.speculate(floor, turn)
    weigh(floor, now)


def has_unasked_words(floor: Floor) -> bool:
    """Whether the turn was voiced beyond what its words were asked for."""
    turn = floor.open_turn
    return turn.requested < turn.voiced_until


def go_on(floor: Floor, now: float) -> None:
    """The turn was not over: remember how long this caller paused."""
    floor.pauses.add(floor.hinted_at - floor.open_turn.voiced_until)
    hearing.hear(floor, now)


def on_prosody(floor: Floor, event: ev.ProsodyScored, now: float) -> None:
    """The ear has judged."""
    floor.open_turn.prosody = event.probability
    if floor.state is State.WEIGHING:
        weigh(floor, now)


def weigh(floor: Floor, now: float) -> None:
    """Decide whether the turn is over, or when to look again."""
    turn = floor.open_turn
    if floor.sound is not Sound.QUIET and not turn.forced:
        return  # the hint is settled first
    due = turn.voiced_until + _patience(floor, turn)
    if now < due:
        floor.deadlines.set(Deadline.ENDPOINT, due)
    elif turn.recognised:
        finish_turn(floor, now)


def _patience(floor: Floor, turn: CallerTurn) -> float:
    policy = floor.policy
    if turn.forced:
        return 0.0
    if turn.recognised and not turn.text:
        return policy.unsure_silence
    need = required_silence(policy, turn.prosody, turn.words, floor.pauses)
    if turn.voiced_until - turn.started_at > policy.longest_turn:
        return min(need, policy.shortest_silence)
    return need


def on_endpoint(floor: Floor, now: float) -> None:
    """The silence is long enough by what was known when it was measured."""
    if floor.state is State.WEIGHING:
        weigh(floor, now)


def on_recognition_timeout(floor: Floor, now: float) -> None:
    """The recogniser is not coming back: go with the words there are."""
    turn = floor.open_turn
    if floor.state is not State.WEIGHING or turn.recognised:
        return
    endpoint = floor.deadlines.get(Deadline.ENDPOINT)
    if floor.sound is not Sound.QUIET and not turn.forced:
        floor.deadlines.set(Deadline.RECOGNITION, now + floor.policy.resume_after)
    elif endpoint is not None and endpoint > now:
        floor.deadlines.set(Deadline.RECOGNITION, endpoint)
    elif turn.text:
        confirm(floor, turn, now)
    else:
        give_up(floor, "not recognised", now, puzzled=True)


def finish_turn(floor: Floor, now: float) -> None:
    """The turn is over: answer it, unless there were no words in it."""
    turn = floor.open_turn
    if turn.text:
        confirm(floor, turn, now)
        return
    voiced = turn.voiced_until - turn.started_at
    give_up(floor, "no words", now, puzzled=turn.took_floor or voiced >= floor.policy.not_understood_after)


def confirm(floor: Floor, turn: CallerTurn, now: float) -> None:
    """These are the words of the turn; the floor is the agent's, unless it was asked to wait."""
    wait = holding.asks_to_wait(floor.policy, turn.text)
    if holding.is_waiting(floor, now) and (wait or not holding.is_addressed(floor, turn)):
        if wait:
            holding.begin(floor, now)
        abandon_turn(floor, "on hold")
        waiting.listen(floor, now)
        return
    floor.do(act.ConfirmTurn(turn.id, turn.text, turn.voiced_until))
    if wait:
        _wait(floor, turn, now)
    else:
        holding.end(floor)
        _answer(floor, turn, now)


def _wait(floor: Floor, turn: CallerTurn, now: float) -> None:
    """The caller asked for time: say that there is, and leave the caller alone."""
    _turn_over(floor, turn)
    holding.begin(floor, now)
    answering.say(floor, Phrase.WAIT, now)


def _answer(floor: Floor, turn: CallerTurn, now: float) -> None:
    if not hearing.answers(floor, turn.text):
        answering.drop_answer(floor)
        answering.prepare(floor, turn.id, turn.text)
    _turn_over(floor, turn)
    answering.play(floor, now)


def _turn_over(floor: Floor, turn: CallerTurn) -> None:
    floor.reprompts = floor.misunderstandings = 0
    floor.last_turn_ended = turn.voiced_until
    floor.turn = floor.owed = None
    floor.deadlines.cancel(*TURN_DEADLINES)


def give_up(floor: Floor, reason: str, now: float, *, puzzled: bool = False) -> None:
    """No words came of it: answer what is still owed, or say that it was not understood, or just listen."""
    abandon_turn(floor, reason)
    owed, floor.owed = floor.owed, None
    if owed is not None:
        answering.prepare(floor, owed.turn_id, owed.text)
        answering.play(floor, now)
    elif not puzzled or holding.is_waiting(floor, now):
        waiting.listen(floor, now)
    elif floor.misunderstandings >= floor.policy.most_misunderstandings:
        answering.close(floor, Phrase.GOODBYE, "caller not understood", now)
    else:
        floor.misunderstandings += 1
        answering.say(floor, Phrase.NOT_UNDERSTOOD, now)


def abandon_turn(floor: Floor, reason: str) -> None:
    """What was heard is no turn."""
    turn = floor.turn
    if turn is not None:
        if floor.answer is not None and floor.answer.turn_id == turn.id:
            answering.drop_answer(floor)
        floor.do(act.DiscardTurn(turn.id, reason, turn.text))
        floor.turn = None
    floor.deadlines.cancel(*TURN_DEADLINES)
