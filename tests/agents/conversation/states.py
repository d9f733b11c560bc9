"""A conversation in each of its states."""

from __future__ import annotations

from typing import Any

from agents.conversation import events as ev
from agents.conversation.model import State
from tests.agents.conversation.script import Script, asked, greeted

LIVE = tuple(state for state in State if state not in (State.NEW, State.ENDED))


def in_state(state: State, **options: Any) -> Script:
    """A conversation that has come to be in `state` as it does in a call."""
    if state is State.NEW:
        return Script(**options)
    if state is State.LISTENING:
        return greeted(**options)
    if state is State.HEARING:
        script = asked(**options).run(11.0)
    elif state is State.WEIGHING:
        script = asked(**options)
        script.prosody = None
        script.run(12.3)
    elif state is State.THINKING:
        script = asked(**options)
        script.reply = Script.keep_silent
        script.run(12.5)
    else:
        script = asked(**options)
        script.sound_lasts = 10.0
        script.run(14.0)
        if state is State.OVERLAP:
            script.says("No, I mean the other place.", 14.0, 16.0)
            script.run(14.2)
        elif state is State.ENDED:
            script.feed(ev.CallerLeft("hung up"))
    script.expect(state)
    return script


def speaking(**options: Any) -> Script:
    """The agent answers the caller from 12.34 on, for ten seconds; the clock stands at 14."""
    script = asked(**options)
    script.sound_lasts = 10.0
    script.run(14.0)
    script.expect(State.SPEAKING)
    script.log.clear()
    return script
