"""What the caller's line carries, and what that means for whoever has the floor.

Voice comes as `SpeechHinted`, then either `SilenceHinted` (a false alarm) or `SpeechStarted`. From there on
`SilenceHinted` and `SpeechHinted` alternate, without another `SpeechStarted`, until `SpeechStopped`.
"""

from __future__ import annotations

from agents.conversation import barge_in, hearing, turn_end
from agents.conversation import events as ev
from agents.conversation.model import Deadline, Floor, Sound, State


def on_speech_hint(floor: Floor, event: ev.SpeechHinted, now: float) -> None:
    """Voice, perhaps: the agent pauses for it at once, a decision about the turn waits for it."""
    floor.sound, floor.hinted_at = Sound.HINTED, event.at
    if floor.deaf:
        return
    if floor.state in (State.SPEAKING, State.THINKING):
        barge_in.begin_overlap(floor, now)
    elif floor.state is State.OVERLAP:
        barge_in.go_on(floor, now)
    elif floor.state is State.HEARING:
        floor.deadlines.cancel(Deadline.SPECULATE)
    elif floor.state is State.WEIGHING and not floor.open_turn.forced:
        floor.deadlines.set(Deadline.RESUMED, now + floor.policy.resume_after)
    elif floor.state is State.LISTENING:
        expect_voice(floor, now)


def expect_voice(floor: Floor, now: float) -> None:
    """A voice that goes on is not announced by another `SpeechStarted`: it is taken for one when it lasts."""
    if floor.speaking and floor.sound is Sound.HINTED:
        floor.deadlines.set(Deadline.RESUMED, now + floor.policy.resume_after)


def on_resumed(floor: Floor, now: float) -> None:
    """The voice lasted: it is speech, and a provisional end was none."""
    if floor.sound is Sound.HINTED and not floor.deaf:
        _on_voice(floor, floor.hinted_at, now)


def on_speech(floor: Floor, event: ev.SpeechStarted, now: float) -> None:
    """The caller speaks: this is a turn, or it goes on with one, or it talks over the agent."""
    floor.speaking = True
    if floor.deaf:
        floor.sound = Sound.VOICED
    else:
        _on_voice(floor, event.at, now)


def _on_voice(floor: Floor, at: float, now: float) -> None:
    floor.sound = Sound.VOICED
    if floor.state in (State.SPEAKING, State.THINKING):
        barge_in.begin_overlap(floor, now)
    if floor.state is State.OVERLAP:
        barge_in.confirm_overlap(floor, at, now)
    elif floor.state is State.LISTENING:
        hearing.open_turn(floor, at)
        hearing.hear(floor, now)
    elif floor.state is State.WEIGHING and not floor.open_turn.forced:
        turn_end.go_on(floor, now)


def on_silence_hint(floor: Floor, event: ev.SilenceHinted, now: float) -> None:
    """A pause, perhaps; or the voice that was hinted at was none."""
    false_alarm = floor.sound is Sound.HINTED and not floor.speaking
    floor.sound = Sound.QUIET
    if floor.deaf:
        floor.deaf = floor.speaking
        return
    if not false_alarm:
        _note_voice(floor, event.at)
    floor.deadlines.cancel(Deadline.RESUMED)
    if floor.state is State.HEARING:
        expect_pause(floor, event.at, now)
    elif floor.state is State.OVERLAP:
        barge_in.fall_silent(floor, event.at, now)
    elif floor.state is State.WEIGHING and turn_end.has_unasked_words(floor):
        hearing.hear(floor, now)  # too short to take the end back, but it may be a last syllable
        expect_pause(floor, event.at, now)
    elif floor.state is State.WEIGHING:
        turn_end.weigh(floor, now)


def on_silence(floor: Floor, event: ev.SpeechStopped, now: float) -> None:
    """The caller is silent for certain."""
    floor.sound, floor.speaking = Sound.QUIET, False
    if floor.deaf:
        floor.deaf = False
        return
    _note_voice(floor, event.at)
    floor.deadlines.cancel(Deadline.RESUMED)
    if floor.deadlines.get(Deadline.SPECULATE) is not None:
        return
    if floor.state is State.HEARING:
        turn_end.pause(floor, now)
    elif floor.state is State.OVERLAP:
        barge_in.be_silent(floor, now)
    elif floor.state is State.WEIGHING and turn_end.has_unasked_words(floor):
        turn_end.pause(floor, now)


def expect_pause(floor: Floor, voiced_until: float, now: float) -> None:
    """A silence that lasts is a provisional end of the turn, or the end of a sound over the agent."""
    floor.deadlines.set(Deadline.SPECULATE, max(now, voiced_until + floor.policy.speculate_after))


def on_paused(floor: Floor, now: float) -> None:
    """The silence has lasted long enough to ask what was said."""
    if floor.state is State.OVERLAP:
        barge_in.ask_words(floor, now)
    elif floor.state is State.HEARING:
        turn_end.pause(floor, now)


def _note_voice(floor: Floor, until: float) -> None:
    if floor.turn is not None and not floor.turn.forced:
        floor.turn.voiced_until = max(floor.turn.voiced_until, until)
