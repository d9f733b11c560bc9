"""One conversation on one link: feeds the turn-taking core, carries out what it decides, keeps the record."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from itertools import cycle
from typing import Any

import structlog

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.machine import Conversation
from agents.conversation.model import State
from agents.conversation.policy import TurnPolicy
from agents.dialogue import Dialogue
from agents.link import AudioLink
from agents.opt_out import asks_not_to_be_called
from agents.session.listening import Listener, TurnVoice
from agents.session.services import Recorder, Services, TurnRecord
from agents.session.speaking import Speaker
from media.audio.frames import AudioFrame
from media.speech.protocols import TimedWord, Voice

OPTED_OUT = "opted out"
"""Why a call ends whose other side does not want to be called again."""

log = structlog.get_logger(__name__)

_PUBLIC_STATES = {
    State.LISTENING: "listening",
    State.HEARING: "listening",
    State.WEIGHING: "listening",
    State.THINKING: "thinking",
    State.SPEAKING: "speaking",
    State.OVERLAP: "interrupted",
    State.ENDED: "ended",
}


class Session:
    """Implements `agents.link.Conversant`. Every call happens on one event loop.

    The turn-taking core decides; this class only carries events to it and actions from it, one at a
    time and in order. All tasks belong to the session: `run` ends when none is left. `outbound`: we called. `opt_out`
    is said to whoever asks not to be called again; in a call that we placed plain words suffice for that. `redact`
    takes out of a text what must not be logged.
    """

    def __init__(
        self,
        services: Services,
        dialogue: Dialogue,
        voice: Voice,
        link: AudioLink,
        *,
        policy: TurnPolicy,
        phrases: Mapping[Phrase, list[str]],
        recorder: Recorder,
        language: str | None = None,
        hint: str = "",
        speed: float = 1.0,
        session_id: str | None = None,
        outbound: bool = False,
        opt_out: str = "",
        redact: Callable[[str], str] | None = None,
    ) -> None:
        self._id = session_id or f"session_{secrets.token_hex(8)}"
        self._conversation = Conversation(policy, outbound=outbound)
        self._outbound, self._opt_out_text, self._language = outbound, opt_out, language
        self._opted_out = False
        self._redact = redact or _as_said
        self._dialogue = dialogue
        self._link = link
        self._recorder = recorder
        self._phrases = {phrase: cycle(texts) for phrase, texts in phrases.items() if texts}
        self._loop = asyncio.get_event_loop()
        self._began = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._events: deque[ev.Event | None] = deque()
        self._dispatching = False
        self._finish_asked: ev.FinishAsked | None = None
        self._ended = asyncio.Event()
        self._end_reason = ""
        self._open: dict[int, TurnRecord] = {}
        self._voices: dict[int, TurnVoice] = {}  # of the confirmed turns among them
        self._state = ""
        self._caller_speaks = False
        spawn, dispatch, clock = self._spawn, self._dispatch, self._loop.time
        self._listener = Listener(services, dispatch=dispatch, spawn=spawn, clock=clock, language=language, hint=hint)
        self._speaker = Speaker(
            dialogue,
            voice,
            link,
            speed=speed,
            dispatch=dispatch,
            spawn=spawn,
            clock=clock,
            on_opt_out=self._opt_out,
            on_first_sound=self._tell_latency,
        )

    # What the link may do (agents.link.Conversant)

    @property
    def id(self) -> str:
        """The session's id."""
        return self._id

    def hear(self, frame: AudioFrame) -> None:
        """Give the caller's next audio, 16 kHz."""
        if not self._ended.is_set():
            self._listener.hear(frame)

    def heard(self, position: int) -> None:
        """The listener has heard the agent up to this playout position."""
        if not self._ended.is_set():
            self._speaker.heard(position)

    def press(self, digit: str) -> None:
        """The caller pressed a key."""
        self._dispatch(ev.KeyPressed(digit))

    def write(self, text: str) -> None:
        """The caller typed a message."""
        self._dispatch(ev.TextWritten(text))

    def interrupt(self) -> None:
        """The caller asked for silence by a button."""
        self._dispatch(ev.InterruptPressed())

    def finish(self, text: str, reason: str) -> None:
        """Say this to its end, then hang up."""
        asked = ev.FinishAsked(text.strip(), reason)
        if self._conversation.state is State.NEW:
            self._finish_asked = self._finish_asked or asked  # said once the line is open
        else:
            self._dispatch(asked)

    def caller_left(self, reason: str) -> None:
        """The connection is gone."""
        self._dispatch(ev.CallerLeft(reason))

    async def run(self) -> None:
        """Hold the conversation until it ends."""
        structlog.contextvars.bind_contextvars(session=self._id)
        reason = "cancelled"
        try:
            self._began = self._loop.time()
            self._link.start(self._speaker.playout)
            self._dispatch(ev.CallStarted())
            if self._finish_asked is not None:
                self._dispatch(self._finish_asked)
            self._spawn(self._dialogue.warm_up())  # while the greeting is spoken
            await self._ended.wait()
            reason = self._end_reason
        finally:
            await self._wind_up(reason)

    # The core and its driver

    def _dispatch(self, event: ev.Event | None) -> None:
        """Take an event (None: a deadline); events that actions bring about wait until those are carried out."""
        self._events.append(event)
        if self._dispatching:
            return
        self._dispatching = True
        try:
            while self._events and not self._ended.is_set():
                event = self._events.popleft()
                now = self._loop.time()
                actions = self._conversation.tick(now) if event is None else self._conversation.handle(event, now)
                for action in actions:
                    self._perform(action)
                self._show_state()
        finally:
            self._dispatching = False
        self._arm_timer()

    def _arm_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._conversation.next_deadline()
        if at is not None and not self._ended.is_set():
            self._timer = self._loop.call_at(at, self._dispatch, None)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _wind_up(self, reason: str) -> None:
        """Leave nothing running and nothing unrecorded."""
        self._ended.set()
        if self._timer is not None:
            self._timer.cancel()
        for turn_id in list(self._open):
            self._finish(turn_id)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._recorder.ended(self._id, reason)
        log.info("session ended", reason=reason)

    def _perform(self, action: act.Action) -> None:
        _PERFORM[type(action)](self, action)

    # Actions: the caller's turn

    def _open_turn(self, action: act.OpenTurn) -> None:
        self._listener.open_turn(action.turn_id, action.at, over_agent=not self._speaker.playout.silent)
        self._record(action.turn_id).timeline.speech_started = action.at

    def _recognise(self, action: act.Recognise) -> None:
        self._listener.recognise(action.turn_id, urgent=action.urgent)

    def _judge_prosody(self, action: act.JudgeProsody) -> None:
        self._listener.judge_prosody(action.turn_id, action.revision)

    def _judge_words(self, action: act.JudgeWords) -> None:
        record = self._record(action.turn_id)
        record.timeline.transcript = self._loop.time()
        self._link.notify("transcript", {"turn": action.turn_id, "text": action.text, "final": False})
        self._listener.judge_words(action.turn_id, action.text)

    def _confirm_turn(self, action: act.ConfirmTurn) -> None:
        for turn_id in [other for other in self._open if other < action.turn_id]:
            self._finish(turn_id)
        record = self._record(action.turn_id)
        record.transcript = action.text
        if (voice := self._listener.voice(action.turn_id)) is not None:
            self._voices[action.turn_id] = voice
        record.timeline.speech_ended, record.timeline.confirmed = action.ended_at, self._loop.time()
        self._listener.close_turn(action.turn_id)
        self._dialogue.commit(action.turn_id, action.text)
        self._link.notify("transcript", {"turn": action.turn_id, "text": action.text, "final": True})
        log.debug("turn confirmed", turn=action.turn_id, transcript=self._redact(action.text))
        if self._outbound and asks_not_to_be_called(action.text, self._language):
            self._opt_out()

    def _opt_out(self) -> None:
        """They do not want to be called again: have it noted, say so and hang up."""
        if not self._opted_out:
            self._opted_out = True
            log.info("asked not to be called again")
            self._link.notify("opt_out", {})
        self.finish(self._opt_out_text, OPTED_OUT)

    def _discard_turn(self, action: act.DiscardTurn) -> None:
        self._listener.close_turn(action.turn_id)
        self._open.pop(action.turn_id, None)
        self._link.notify("discarded", {"turn": action.turn_id, "reason": action.reason})
        log.info("no turn", turn=action.turn_id, reason=action.reason)

    # Actions: the agent's answer

    def _prepare_answer(self, action: act.PrepareAnswer) -> None:
        self._speaker.prepare(action.turn_id, action.answer_id, action.text, self._record(action.turn_id))

    def _play_answer(self, action: act.PlayAnswer) -> None:
        self._speaker.play(action.answer_id)

    def _say_phrase(self, action: act.SayPhrase) -> None:
        for turn_id in list(self._open):  # a turn that a phrase speaks for has no answer any more
            self._finish(turn_id)
        text = action.text if action.phrase is Phrase.LAST_WORDS else self._wording(action.phrase)
        self._speaker.say(action.turn_id, action.answer_id, text, self._record(action.turn_id))

    def _say_filler(self, action: act.SayFiller) -> None:
        self._speaker.bridge(action.answer_id, self._wording(action.phrase))

    def _drop_answer(self, action: act.DropAnswer) -> None:
        self._speaker.drop(action.answer_id)
        record = self._open.get(action.turn_id)
        if record is None or not record.interrupted:
            return
        if self._speaker.playout.text_heard(action.turn_id):
            self._finish(action.turn_id)
        else:  # nothing was heard: the turn may still be answered, or its words go with the next one's
            self._dialogue.heard(action.turn_id, "", interrupted=False)

    def _close_answer(self, action: act.CloseAnswer) -> None:
        self._speaker.close(action.answer_id)
        self._finish(action.turn_id)

    def _pause(self, _action: act.PausePlayout) -> None:
        self._speaker.pause()

    def _resume(self, _action: act.ResumePlayout) -> None:
        self._speaker.resume()

    def _cut(self, action: act.CutPlayout) -> None:
        self._record(action.turn_id).interrupted = True
        self._speaker.cut()

    def _end_call(self, action: act.EndCall) -> None:
        self._end_reason = action.reason
        for turn_id in list(self._open):
            self._finish(turn_id)
        self._ended.set()
        self._link.hang_up(action.reason)

    def _wording(self, phrase: Phrase) -> str:
        return next(self._phrases[phrase]) if phrase in self._phrases else ""

    # Records

    def _record(self, turn_id: int) -> TurnRecord:
        return self._open.setdefault(turn_id, TurnRecord(turn_id))

    def _finish(self, turn_id: int) -> None:
        """A turn is over, heard to its end or not: history and record take what was heard."""
        record = self._open.pop(turn_id, None)
        if record is None:
            return
        record.heard = self._speaker.playout.text_heard(turn_id)
        if (voice := self._voices.pop(turn_id, None)) is not None:  # not before: the caller waits for the answer
            record.caller_words = self._since_began(voice.words(record.transcript))
        record.agent_words = self._since_began(self._speaker.words_heard(turn_id))
        record.timeline.finished = self._loop.time()
        self._dialogue.heard(turn_id, record.heard, interrupted=record.interrupted and bool(record.heard))
        self._speaker.playout.forget(turn_id + 1)
        if record.transcript or record.answer:
            self._recorder.turn(self._id, record)
        if record.heard:
            self._link.notify("answer", {"turn": turn_id, "text": record.heard, "interrupted": record.interrupted})
        if record.transcript:
            times = record.timeline.milliseconds()
            log.info(
                "turn",
                turn=turn_id,
                interrupted=record.interrupted,
                error=record.error,
                tokens=record.completion_tokens,
                **times,
            )

    def _tell_latency(self, record: TurnRecord) -> None:
        """The caller begins to hear the answer: how long each stage took is known."""
        if record.transcript:
            self._link.notify("latency", {"turn": record.turn_id, **record.timeline.milliseconds()})

    def _since_began(self, words: tuple[TimedWord, ...]) -> tuple[TimedWord, ...]:
        """Words on the clock, in seconds from the beginning of the session."""
        began = self._began
        return tuple(TimedWord(word.text, word.start - began, word.end - began) for word in words)

    def _show_state(self) -> None:
        state = _PUBLIC_STATES.get(self._conversation.state, "")
        if state != self._state:
            self._state = state
            self._link.notify("state", {"state": state})
        speaks = self._conversation.state in (State.HEARING, State.OVERLAP)
        if speaks != self._caller_speaks:
            self._caller_speaks = speaks
            self._link.notify("caller", {"speaking": speaks})


def _as_said(text: str) -> str:
    return text


_PERFORM: dict[type, Callable[[Session, Any], None]] = {
    act.OpenTurn: Session._open_turn,
    act.Recognise: Session._recognise,
    act.JudgeProsody: Session._judge_prosody,
    act.JudgeWords: Session._judge_words,
    act.ConfirmTurn: Session._confirm_turn,
    act.DiscardTurn: Session._discard_turn,
    act.PrepareAnswer: Session._prepare_answer,
    act.PlayAnswer: Session._play_answer,
    act.SayPhrase: Session._say_phrase,
    act.SayFiller: Session._say_filler,
    act.DropAnswer: Session._drop_answer,
    act.PausePlayout: Session._pause,
    act.ResumePlayout: Session._resume,
    act.CutPlayout: Session._cut,
    act.CloseAnswer: Session._close_answer,
    act.EndCall: Session._end_call,
}
