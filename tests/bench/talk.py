"""Callers who hold conversations and note how long they wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Final

import httpx
from websockets.exceptions import WebSocketException

from tests.bench.figures import Figures, total
from tests.bench.smoothness import Arrival, smoothness
from tests.peers.phone_caller import Clip, NoStream, PhoneCaller, Spoken, calling, load_clip

SPEECH: Final = Path(__file__).resolve().parents[1] / "speech"
TURNS: Final = ("open_hours", "book_table", "name", "vegetarian", "phone_number", "thanks")
INTERRUPTIONS: Final = ("stop", "open_hours", "book_table", "vegetarian")

GREETING_TIMEOUT: Final = 25.0
ANSWER_TIMEOUT: Final = 12.0
TURN_GAP: Final = 1.5
"""The agent has finished when it was silent for this long."""
INTERRUPT_AFTER: Final = 0.6
STOPPED_GAP: Final = 0.7
"""An interrupted agent is silent when it was so for this long."""
SILENCE_TIMEOUT: Final = 6.0
STILL_SPEAKING: Final = 0.2
"""An agent that was audible so shortly before is interrupted; speech has pauses."""
NOTICE: Final = 0.3
"""An agent that still speaks so long into a turn, or begins to later, talks over the caller."""
NOTICE_INTERRUPTION: Final = 1.0
STAGGER: Final = 0.7


def clips(names: Sequence[str]) -> list[Clip]:
    """Recordings by name."""
    return [load_clip(SPEECH / f"{name}.wav") for name in names]


async def converse(url: str, clips: Sequence[Clip], turns: int, *, record: Path | None = None) -> Figures:
    """Take `turns` turns in one call, each when the agent has finished."""
    figures = Figures()
    async with calling(url) as caller:
        await caller.until_quiet(TURN_GAP, GREETING_TIMEOUT)
        for number in range(turns):
            await take_turn(caller, clips[number % len(clips)], figures)
            await caller.until_quiet(TURN_GAP, 20)
        note_smoothness(caller, figures)
        if record is not None:
            caller.record(record)
    return figures


async def interrupt(url: str, questions: Sequence[Clip], interruptions: Sequence[Clip], times: int) -> Figures:
    """Ask, and interrupt the answer, `times` times in one call."""
    figures = Figures()
    async with calling(url) as caller:
        await caller.until_quiet(TURN_GAP, GREETING_TIMEOUT)
        for number in range(times):
            answered = await take_turn(caller, questions[number % len(questions)], figures)
            if answered is not None:
                await asyncio.sleep(INTERRUPT_AFTER)
                await cut_in(caller, interruptions[number % len(interruptions)], figures)
            await caller.until_quiet(TURN_GAP, 20)
    return figures


async def guarded(conversation: Awaitable[Figures]) -> Figures:
    """A call that breaks is noted, not raised."""
    try:
        return await conversation
    except (NoStream, OSError, httpx.HTTPError, WebSocketException, BaseExceptionGroup) as error:
        return Figures(failed=[repr(error)])


async def together(url: str, clips: Sequence[Clip], calls: int, turns: int) -> Figures:
    """Several calls at once, each beginning with another clip."""

    async def one(number: int) -> Figures:
        await asyncio.sleep(number * STAGGER)
        turned = [*clips[number % len(clips) :], *clips[: number % len(clips)]]
        return await guarded(converse(url, turned, turns))

    return total(await asyncio.gather(*(one(number) for number in range(calls))))


async def take_turn(caller: PhoneCaller, clip: Clip, figures: Figures) -> float | None:
    """Say something and wait for the answer; returns when it was heard."""
    spoken = caller.say(clip)
    await said(caller, spoken)
    return await note_answer(caller, spoken, figures, NOTICE)


async def cut_in(caller: PhoneCaller, clip: Clip, figures: Figures) -> None:
    """Speak while the agent does; note when it fell silent, and the answer to what was said."""
    spoken = caller.say(clip)
    figures.interruptions += 1
    await either(caller, spoken.began)
    speaking = caller.audible(spoken.began_at - STILL_SPEAKING) is not None
    silent = await silence(caller, spoken.began_at)
    if not speaking:
        figures.met_silence += 1
    elif silent is None:
        figures.not_stopped += 1
    else:
        figures.stopped.append(silent - spoken.began_at)
    await said(caller, spoken)
    await note_answer(caller, spoken, figures, NOTICE_INTERRUPTION)


async def silence(caller: PhoneCaller, since: float) -> float | None:
    """Wait until the agent has fallen silent; returns when, `since` if it had by itself, None if it has not."""
    limit = time.monotonic() + SILENCE_TIMEOUT
    while time.monotonic() < limit and not caller.over.is_set():
        last = caller.last_audible(since) or since
        if time.monotonic() - last > STOPPED_GAP:
            return last
        await caller.tick()
    return None


async def note_answer(caller: PhoneCaller, spoken: Spoken, figures: Figures, notice: float) -> float | None:
    figures.turns += 1
    over = caller.audible(spoken.began_at + notice, spoken.ended_at) is not None
    answered = await caller.until_audible(spoken.ended_at, ANSWER_TIMEOUT)
    if over:
        figures.talked_over += 1
    elif answered is None:
        figures.lost += 1
    else:
        figures.answered.append(answered - spoken.ended_at)
    return answered


def note_smoothness(caller: PhoneCaller, figures: Figures) -> None:
    """How evenly the agent's speech came; marks are named after their turn, up to a colon."""
    found = smoothness([Arrival(at, mark.partition(":")[0]) for at, mark in caller.arrived], caller.cleared_at)
    figures.gaps += found.gaps
    figures.jitter += found.jitter


async def said(caller: PhoneCaller, spoken: Spoken) -> None:
    """Wait until the last voiced frame was sent."""
    await either(caller, spoken.ended)


async def either(caller: PhoneCaller, event: asyncio.Event) -> None:
    """Wait for an event of the call. Raises `NoStream` where the call ends first."""
    waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(caller.over.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if not event.is_set():
        raise NoStream("the call ended while the caller spoke")
