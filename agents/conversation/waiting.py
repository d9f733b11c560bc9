"""The rest of a call: its start and end, silence of both, keys, typed text, buttons."""

from __future__ import annotations

from agents.conversation import actions as act
from agents.conversation import answering, hearing, holding, line, turn_end
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.model import CallerTurn, Deadline, Floor, Sound, State

MOST_DIGITS = 64
"""Keys that are collected into one message at most."""


def start_call(floor: Floor, _event: ev.CallStarted, now: float) -> None:
    """The line is open: greet."""
    floor.deadlines.set(Deadline.CALL, now + floor.policy.longest_call)
    answering.say(floor, Phrase.GREETING, now)


def leave(floor: Floor, event: ev.CallerLeft, _now: float) -> None:
    """The connection is gone."""
    answering.drop_answer(floor)
    turn_end.abandon_turn(floor, "caller left")
    end(floor, event.reason)


def end(floor: Floor, reason: str) -> None:
    """Nothing more will happen."""
    floor.do(act.EndCall(floor.last_turn_id, reason))
    floor.state = State.ENDED
    floor.turn = floor.answer = None
    floor.deadlines.clear()


def on_call_limit(floor: Floor, now: float) -> None:
    """The longest call is over; or a last phrase is, whether it has been heard or not."""
    answering.silence_agent(floor)
    turn_end.abandon_turn(floor, "call limit")
    if floor.closing is not None:
        end(floor, floor.closing)
    else:
        answering.close(floor, Phrase.TIME_IS_UP, "call limit", now)


def finish(floor: Floor, event: ev.FinishAsked, now: float) -> None:
    """Whoever answers for the call ends it: a last text, unless the last phrase is being said already."""
    if floor.closing is None:
        answering.silence_agent(floor)
        turn_end.abandon_turn(floor, "call ends")
        answering.close(floor, Phrase.LAST_WORDS, event.reason, now, event.text)


def hand_over(floor: Floor, now: float) -> None:
    """The agent has had its say: listen, even to a line that was noisy before."""
    floor.deaf = False
    listen(floor, now)


def listen(floor: Floor, now: float) -> None:
    """Nobody speaks; a caller who does already is heard from here on."""
    floor.state = State.LISTENING
    floor.deadlines.set(Deadline.IDLE, max(now + floor.policy.idle_after, floor.hold_ends))
    if floor.deaf:
        return
    if floor.sound is Sound.VOICED:
        hearing.open_turn(floor, now)
        hearing.hear(floor, now)
    else:
        line.expect_voice(floor, now)


def on_idle(floor: Floor, now: float) -> None:
    """Nobody has spoken for a while."""
    if floor.state is not State.LISTENING or floor.digits:
        return
    hint_ends = floor.hinted_at + floor.policy.overlap_timeout
    if floor.sound is Sound.HINTED and not floor.deaf and now < hint_ends:
        floor.deadlines.set(Deadline.IDLE, hint_ends)  # it may be the caller's answer
    elif floor.reprompts < floor.policy.most_reprompts:
        floor.reprompts += 1
        answering.say(floor, Phrase.REPROMPT, now)
    else:
        answering.close(floor, Phrase.GOODBYE, "caller silent", now)


def on_key(floor: Floor, event: ev.KeyPressed, now: float) -> None:
    """Keys are collected into one message."""
    if floor.closing is not None:
        return
    if event.digit != "#":
        floor.digits += event.digit
        floor.deadlines.set(Deadline.DIGITS, now + floor.policy.digits_after)
        if floor.state in (State.SPEAKING, State.THINKING, State.OVERLAP):
            yield_floor(floor, now)
    if floor.digits and (event.digit == "#" or len(floor.digits) >= MOST_DIGITS):
        on_digits(floor, now)


def on_digits(floor: Floor, now: float) -> None:
    """No more keys came."""
    floor.deadlines.cancel(Deadline.DIGITS)
    digits, floor.digits = floor.digits, ""
    take_text(floor, f"[keys pressed: {digits}]", now)


def on_text(floor: Floor, event: ev.TextWritten, now: float) -> None:
    """A typed message."""
    text = event.text.strip()
    if text and floor.closing is None:
        take_text(floor, text, now)


def take_text(floor: Floor, text: str, now: float) -> None:
    """A message that needs no ears: it takes the floor, with what was just being said before it."""
    spoken = floor.turn.text if floor.turn is not None and floor.state in (State.HEARING, State.WEIGHING) else ""
    answering.silence_agent(floor)
    turn_end.abandon_turn(floor, "typed over")
    turn = CallerTurn(floor.next_turn_id(), now, now, text=f"{spoken} {text}".strip(), covered=now)
    floor.deadlines.cancel(Deadline.IDLE)
    holding.end(floor)
    turn_end.confirm(floor, turn, now)
    floor.last_turn_ended = float("-inf")  # what is said next tells nothing about pauses in speech


def on_interrupt_button(floor: Floor, _event: ev.InterruptPressed, now: float) -> None:
    """The caller wants silence."""
    if floor.state in (State.SPEAKING, State.THINKING, State.OVERLAP) and floor.closing is None:
        yield_floor(floor, now)


def yield_floor(floor: Floor, now: float) -> None:
    """Be silent and listen."""
    answering.silence_agent(floor)
    turn_end.abandon_turn(floor, "silenced")
    hand_over(floor, now)
