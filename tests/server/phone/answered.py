"""An answered call of ours in virtual time: a real stream, watch and announcement; a callee by script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, cast

import numpy as np
from starlette.websockets import WebSocket

from agents.session.services import Services
from media.audio.frames import Samples
from media.audio.g711 import samples_to_ulaw
from media.speech.activity.silero import SileroModel, State
from media.speech.protocols import Transcript
from server.phone.answering import hold_outbound
from server.phone.book import CallFacts
from server.phone.call import PhoneCall
from server.phone.link import PhoneLink
from server.phone.options import PhoneOptions
from telephony.twilio.messages import TwilioStream
from tests.agents.session.stage import Judge, ToneVoice
from tests.server.phone.fakes import FakeBook, FakeFactory, FakeSession
from tests.server.phone.test_call import Wire
from tests.telephony import messages as twilio

FRAME = 160


class OffsetModel:
    """Hears a voice wherever the samples have an offset, so that tones are none."""

    def run(self, samples: Samples, state: State) -> tuple[float, State]:
        return (0.98 if float(samples[0, 64:].mean()) > 0.02 else 0.02), state


class Recogniser:
    """Hears what the callee has said up to now."""

    busy = False

    def __init__(self, callee: Callee) -> None:
        self.error: Exception | None = None
        self._callee = callee

    async def transcribe(self, samples: Samples, **_options: Any) -> Transcript:
        text = self._callee.said(len(samples) / 16000)
        await asyncio.sleep(0.15)
        if self.error is not None:
            raise self.error
        return Transcript(text, "en", 0.0, -0.2)


class Callee(Wire):
    """Whoever answers: makes sounds at their times, plays what comes and returns the marks."""

    def __init__(self) -> None:
        super().__init__()
        self.recogniser = Recogniser(self)
        self.heard: list[tuple[float, str]] = []  # what was played to it begins and ends
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._voices: list[tuple[float, float, str]] = []
        self._tones: list[tuple[float, Samples]] = []
        self._queue: list[dict[str, Any]] = []
        self.frames: list[float] = []  # when audio came that was not silence

    @property
    def now(self) -> float:
        return self._loop.time() - self._began

    def speaks(self, text: str, begin: float, seconds: float) -> None:
        self._voices.append((begin, begin + seconds, text))

    def sounds(self, samples: Samples, begin: float) -> None:
        self._tones.append((begin, samples))

    def said(self, seconds: float) -> str:
        """What was said in the last `seconds` up to now; of what goes on, as much as has been said."""
        parts = []
        for begin, end, text in self._voices:
            if begin < self.now and end > self.now - seconds:
                words = text.split()
                parts.append(" ".join(words[: round(len(words) * min(1.0, (self.now - begin) / (end - begin)))]))
        return " ".join(parts)

    def hangs_up(self) -> None:
        self.says(twilio.stop())

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] != "websocket.send":
            return
        event = json.loads(message["text"])
        if event["event"] == "media":
            self.frames.append(self.now)
        elif event["event"] == "mark":
            self.says(twilio.mark(event["mark"]["name"]))

    async def talk(self) -> None:
        """A frame every 20 ms."""
        for number in range(10**6):
            at = number * 0.02
            await asyncio.sleep(max(0.0, at + 0.02 - self.now))
            self.says(twilio.media(number + 1, samples_to_ulaw(self._frame(at))))

    def _frame(self, at: float) -> Samples:
        samples = np.zeros(FRAME, np.float32)
        if any(begin <= at < end for begin, end, _ in self._voices):
            samples += 0.3
        for begin, sound in self._tones:
            first = round((at - begin) * 8000)
            if 0 <= first < len(sound):
                part = sound[first : first + FRAME]
                samples[: len(part)] += part
        return samples


class VirtualCall(PhoneCall):
    """A call whose links go by virtual time."""

    def next_link(self) -> PhoneLink:
        link = super().next_link()
        link._clock = asyncio.get_running_loop().time
        return link


class Scene:
    """A call that was just answered, by whoever the script says."""

    def __init__(self, **phone: Any) -> None:
        self.callee = Callee()
        self.factory, self.book = FakeFactory(), FakeBook()
        definition = self.factory.definition
        self.factory.definition = definition.model_copy(update={"phone": definition.phone.model_copy(update=phone)})
        self.factory.voice = self.voice = ToneVoice()
        judge = Judge()
        model = cast(SileroModel, OffsetModel())
        self.factory.services = Services(model, self.callee.recogniser, judge, judge)
        self.order = self.book.place("call_1", name="Ana")
        self.sessions: list[FakeSession] = []
        self.opened: list[float] = []
        self.call: PhoneCall | None = None
        self.ended = 0.0

    async def hold(self, *acts: Callable[[], Coroutine[Any, Any, None]], limit: float = 200.0) -> None:
        """From the answer until nobody of ours has anything more to say."""
        callee = self.callee
        websocket = WebSocket({"type": "websocket", "headers": []}, callee.receive, callee.send)
        callee.incoming.put_nowait({"type": "websocket.connect"})
        await websocket.accept()
        self.call = call = VirtualCall(websocket, TwilioStream(), PhoneOptions("http://127.0.0.1", "", 1))
        callee.says(twilio.connected(), twilio.start())
        await call.started()
        tasks = [asyncio.create_task(callee.talk()), *(asyncio.create_task(act()) for act in acts)]
        try:
            async with asyncio.timeout(limit):
                await hold_outbound(
                    call, self.order, factory=self.factory, book=self.book, open_session=self._open_session
                )
            self.ended = callee.now
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "something is left running"

    def _open_session(self, link: PhoneLink) -> FakeSession:
        session = FakeSession(link)
        self.sessions.append(session)
        self.opened.append(self.callee.now)
        return session

    @property
    def facts(self) -> list[CallFacts]:
        return [facts for _, facts in self.book.facts]

    @property
    def outcome(self) -> str | None:
        return next((facts.outcome for facts in reversed(self.facts) if facts.outcome is not None), None)

    @property
    def answered_by(self) -> str | None:
        return next((facts.answered_by for facts in reversed(self.facts) if facts.answered_by is not None), None)
