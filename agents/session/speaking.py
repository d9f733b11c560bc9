"""The agent's side of a session: answers are prepared, held, played, paused and cut here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import structlog

from agents.conversation import events as ev
from agents.dialogue import (
    Dialogue,
    DialogueError,
    Done,
    EndCall,
    Filler,
    Hold,
    OptOut,
    Piece,
    Say,
    SendDigits,
    Transfer,
)
from agents.link import AudioLink
from agents.session.services import TurnRecord
from media.audio.playout import Playout
from media.channel import Channel, ChannelClosed, WhenFull
from media.speech.protocols import HEAD_START, SpeechChunk, TimedWord, Voice
from media.worker import model_cores, models_at_work

LONGEST_LEAD = 20.0
"""Seconds of speech synthesised ahead of what has been heard, at most."""
PIECES_AHEAD = 32
SLOW = 1.75
"""Speech begins once it lasts this many times as long as its newest stretch took to make: then the next is in time.
The first stretch is the shortest: where more models are at work than there are cores, the next takes as much longer."""
SPECULATIVE_SLACK = 0.15
"""A held answer is needed this much later than one that the caller already waits for."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Utterances:
    """One answer on its way: what is held, what was handed on, and the record of it."""

    id: int
    turn_id: int
    record: TurnRecord
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    held: list[tuple[str, SpeechChunk]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    begins_at: int | None = None
    heard_started: bool = False
    sounded: bool = False
    drained: bool = False
    took: float = 0.0
    end_call: str | None = None
    transfer: Transfer | None = None
    hold: bool = False


class Speaker:
    """Speaks answers and phrases into a playout; one answer is current at a time.

    `dispatch` takes the events, `spawn` owns the tasks, `clock` is the event loop's. `on_opt_out`: the model was told
    that the person does not want to be called again. `on_first_sound`: the listener begins to hear an answer.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        voice: Voice,
        link: AudioLink,
        *,
        speed: float,
        dispatch: Callable[[ev.Event], None],
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
        clock: Callable[[], float],
        on_opt_out: Callable[[], None],
        on_first_sound: Callable[[TurnRecord], None],
    ) -> None:
        self.playout = Playout(link.rate)
        self.current: Utterances | None = None
        self._dialogue = dialogue
        self._voice = voice
        self._link = link
        self._speed = speed
        self._dispatch = dispatch
        self._spawn = spawn
        self._clock = clock
        self._on_opt_out, self._on_first_sound = on_opt_out, on_first_sound
        self._words_heard: dict[int, list[TimedWord]] = {}  # by turn: those whose beginning was heard, on the clock
        self._room = asyncio.Event()
        self._filler: asyncio.Task[None] | None = None

    def prepare(self, turn_id: int, answer_id: int, text: str, record: TurnRecord) -> None:
        """Begin to answer `text`; up to the first piece of speech is made and held."""
        timeline = record.timeline
        timeline.answer_begun = self._clock()
        timeline.first_token = timeline.first_clause = timeline.first_audio = None
        record.answer, record.error, record.interrupted = "", None, False
        answer = Utterances(answer_id, turn_id, record)
        self.current = answer
        answer.task = self._spawn(self._run(answer, partial(self._answer, answer, text)))

    def say(self, turn_id: int, answer_id: int, text: str, record: TurnRecord) -> None:
        """Speak a phrase of the agent's own."""
        answer = Utterances(answer_id, turn_id, record)
        answer.committed.set()
        self.current = answer
        self._dialogue.said(turn_id, text)
        answer.task = self._spawn(self._run(answer, partial(self._speak, answer, text)))

    def play(self, answer_id: int) -> None:
        """Let an answer be heard: what is held now, the rest as it comes."""
        answer = self.current
        if answer is None or answer.id != answer_id:
            return
        answer.committed.set()
        self._release(answer)

    def bridge(self, answer_id: int, text: str) -> None:
        """Bridge the wait for an answer with a short phrase."""
        answer = self.current
        if answer is not None and answer.id == answer_id and self.playout.silent:
            self._filler = self._spawn(self._bridge(answer, text))

    def drop(self, answer_id: int) -> None:
        """Cancel an answer's work; nothing more of it is handed on."""
        answer = self.current
        if answer is None or answer.id != answer_id:
            return
        self.current = None
        for task in (answer.task, self._filler):
            if task is not None:
                task.cancel()
        self._filler = None

    def pause(self) -> None:
        """Silence at once; the listener will hear the rest from the sample where it stopped."""
        self.playout.pause(self._link.flush())
        self._note_heard()

    def resume(self) -> None:
        """Go on from that sample."""
        self.playout.resume()

    def cut(self) -> None:
        """Silence at once; the rest is gone."""
        if not self.playout.paused:
            self.playout.pause(self._link.flush())
            self._note_words()
        self.playout.cut()
        if self.current is not None and (told := self._words_heard.get(self.current.turn_id)):
            del told[len(self.playout.words(self.current.turn_id)) :]

    def close(self, answer_id: int) -> None:
        """An answer has been heard to its end."""
        if self.current is not None and self.current.id == answer_id:
            if self.current.transfer is not None:
                self._hand_over(self.current.transfer)
            self.current = None

    def _hand_over(self, transfer: Transfer) -> None:
        """Everything has been heard and the call ends: it goes to a person. An answer that is cut transfers nothing."""
        payload = {"target": transfer.target, "name": transfer.name, "warm": transfer.warm, "summary": transfer.summary}
        self._link.notify("transfer", payload)

    def heard(self, position: int) -> None:
        """The listener has heard up to `position`."""
        self.playout.heard(position)
        self._room.set()
        self._note_heard()

    def words_heard(self, turn_id: int) -> tuple[TimedWord, ...]:
        """The words of a turn's answer that were heard, on the clock; of one that was cut, those heard by half."""
        told = self._words_heard.pop(turn_id, [])
        position = self.playout.heard_position
        heard = sum((word.start + word.end) / 2 <= position for word in self.playout.words(turn_id))
        return tuple(told[:heard])

    def _note_words(self) -> None:
        answer = self.current
        if answer is None:
            return
        words, position, rate = self.playout.words(answer.turn_id), self.playout.heard_position, self.playout.rate
        if not words:
            return
        told, now = self._words_heard.setdefault(answer.turn_id, []), self._clock()
        while len(told) < len(words) and words[len(told)].start < position:
            word = words[len(told)]
            span = {"start": word.source_start, "end": word.source_end}
            self._link.notify("word", {"turn": answer.turn_id, "text": word.text, **span})
            begun = now - (position - word.start) / rate
            told.append(TimedWord(word.text, begun, begun + (word.end - word.start) / rate))

    def _note_heard(self) -> None:
        self._note_words()
        answer = self.current
        if answer is None or answer.begins_at is None:
            return
        if not answer.heard_started and self.playout.heard_position > answer.begins_at:
            answer.heard_started, answer.drained = True, False
            if not answer.sounded:
                answer.sounded = True
                self._on_first_sound(answer.record)
            self._dispatch(ev.PlayoutStarted(answer.id))
        if answer.heard_started and not answer.drained and self.playout.silent:
            answer.drained, answer.heard_started, answer.begins_at = True, False, self.playout.end
            self._dispatch(ev.PlayoutDrained(answer.id))

    async def _run(self, answer: Utterances, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await work()
        except DialogueError as error:
            log.warning("answer failed", turn=answer.turn_id, reason=str(error))
            self._fail(answer, str(error))
        except Exception:  # whatever model, tool or voice raises must not end the call: the agent apologises instead
            log.exception("answer failed", turn=answer.turn_id)
            self._fail(answer, "internal error")
        else:
            await answer.committed.wait()
            spoken = answer.begins_at is not None
            self._dispatch(ev.AnswerCompleted(answer.id, spoken, answer.end_call, answer.hold))

    def _fail(self, answer: Utterances, reason: str) -> None:
        answer.record.error = reason
        self._dispatch(ev.AnswerFailed(answer.id, reason))

    async def _answer(self, answer: Utterances, text: str) -> None:
        """The model writes on while the voice speaks; before the commit only the first piece is spoken."""
        pieces: Channel[Piece] = Channel(PIECES_AHEAD, WhenFull.WAIT)
        writer = asyncio.ensure_future(self._write(answer, text, pieces))
        try:
            while True:
                try:
                    piece = await pieces.get()
                except ChannelClosed:
                    break
                await self._perform(answer, piece)
                await answer.committed.wait()
            await writer
        finally:
            writer.cancel()

    async def _write(self, answer: Utterances, text: str, pieces: Channel[Piece]) -> None:
        stream = self._dialogue.answer(text, turn_id=answer.turn_id, committed=answer.committed)
        try:
            async with aclosing(stream):
                async for piece in stream:
                    timeline = answer.record.timeline
                    if isinstance(piece, Say) and timeline.first_clause is None:
                        timeline.first_clause = self._clock()
                        timeline.first_token = self._dialogue.first_token_at(answer.turn_id)
                    await pieces.put(piece)
        finally:
            pieces.close()

    async def _perform(self, answer: Utterances, piece: Piece) -> None:
        match piece:
            case Say(text) | Filler(text):
                await self._speak(answer, text)
            case EndCall(reason):
                answer.end_call = reason
            case Transfer(target):
                answer.end_call, answer.transfer = f"transfer to {target}", piece
            case Hold():
                answer.hold = True
            case OptOut():
                self._on_opt_out()
            case SendDigits(digits):
                self._link.send_digits(digits)
            case Done(usage, source=source):
                answer.record.model = source
                if usage is not None:
                    answer.record.prompt_tokens = usage.prompt_tokens
                    answer.record.completion_tokens = usage.completion_tokens

    async def _speak(self, answer: Utterances, text: str) -> None:
        answer.record.answer = f"{answer.record.answer} {text.strip()}".strip()
        chunks = self._voice.synthesise(text, deadline=self._due(answer), speed=self._speed)
        asked = self._clock()
        async with aclosing(chunks) as stream:
            async for chunk in stream:
                now = self._clock()
                answer.took, asked = now - asked, now
                if answer.record.timeline.first_audio is None:
                    answer.record.timeline.first_audio = now
                answer.held.append((text, chunk))
                if answer.committed.is_set():
                    self._release(answer)
                    await self._make_room()
                    asked = self._clock()

    def _release(self, answer: Utterances) -> None:
        """Hand on what is held, unless it would break off soon: on a busy machine speech begins later instead."""
        if not answer.held or (answer.begins_at is None and not answer.held[-1][1].final and self._too_soon(answer)):
            return
        held, answer.held = answer.held, []
        for text, chunk in held:
            self._hand_on(answer, text, chunk)

    def _too_soon(self, answer: Utterances) -> bool:
        seconds = sum(len(chunk.samples) / chunk.rate for _, chunk in answer.held)
        first = len(answer.held) == 1
        shared = max(1.0, (1 + models_at_work()) / model_cores()) if first else 1.0
        return seconds < SLOW * shared * answer.took

    async def _bridge(self, answer: Utterances, text: str) -> None:
        chunks = [chunk async for chunk in self._voice.synthesise(text, deadline=self._clock(), speed=self._speed)]
        if answer.begins_at is None and self.current is answer:  # else the answer itself has begun
            for chunk in chunks:
                self._append(answer, text, chunk)

    def _due(self, answer: Utterances) -> float:
        """When the next piece of speech is needed."""
        if not answer.committed.is_set():
            return self._clock() + SPECULATIVE_SLACK
        begun = HEAD_START if self.playout.waiting else 0.0
        return self._clock() + self.playout.waiting / self.playout.rate - begun

    def _hand_on(self, answer: Utterances, text: str, chunk: SpeechChunk) -> None:
        if self.current is not answer or (not len(chunk.samples) and answer.begins_at is None):
            return
        if answer.begins_at is None:
            answer.begins_at = self.playout.end
        if answer.record.timeline.first_sound is None:
            answer.record.timeline.first_sound = self._clock()
        self._append(answer, text, chunk)

    def _append(self, answer: Utterances, text: str, chunk: SpeechChunk) -> None:
        """Let it sound after what waits; the listener is told the text ahead of its words."""
        if chunk.start == 0:
            self._link.notify("saying", {"turn": answer.turn_id, "text": text})
        self.playout.append(answer.turn_id, text, chunk)

    async def _make_room(self) -> None:
        """Wait while enough speech is ahead of the listener."""
        while self.playout.waiting > LONGEST_LEAD * self.playout.rate:
            self._room.clear()
            await self._room.wait()
