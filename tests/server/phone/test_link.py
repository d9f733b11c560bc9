import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from media.audio.frames import to_int16
from media.audio.g711 import decode_ulaw, encode_ulaw, samples_to_ulaw
from server.phone.call import CallerGone
from server.phone.link import PhoneLink
from telephony.dtmf import tones
from telephony.media_stream import Media
from telephony.twilio.messages import TwilioStream
from tests.server.phone.fakes import FakeSession, speech
from tests.telephony import messages as twilio
from tests.telephony.messages import text

LEAD_FRAMES = 6


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Line:
    """A link whose wire is a list; `blocked` makes the wire take nothing."""

    def __init__(self) -> None:
        self.protocol = TwilioStream()
        self.protocol.receive(text(twilio.connected()))
        self.protocol.receive(text(twilio.start()))
        self.clock = Clock()
        self.sent: list[dict[str, Any]] = []
        self.new = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()
        self.gone = False
        self.link = PhoneLink(self.protocol, self.send, clock=self.clock)
        self.session = FakeSession(self.link)
        self.link.connect(self.session)
        self.link.start(self.session.playout)

    async def send(self, message: str) -> None:
        await self.free.wait()
        if self.gone:
            raise CallerGone
        self.sent.append(json.loads(message))
        self.new.set()

    async def sends(self, count: int) -> list[dict[str, Any]]:
        """Wait until that many messages in all have been sent."""
        while len(self.sent) < count:
            self.new.clear()
            await self.new.wait()
        return self.sent

    def events(self) -> list[str]:
        return [message["event"] for message in self.sent]

    def audio(self) -> bytes:
        return b"".join(base64.b64decode(m["media"]["payload"]) for m in self.sent if m["event"] == "media")


@asynccontextmanager
async def speaking(line: Line) -> AsyncIterator[Line]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(line.link.speak())
        yield line
        task.cancel()


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_speech_leaves_at_once_up_to_the_lead_and_no_further() -> None:
    async with asyncio.timeout(5), speaking(Line()) as line:
        await settle()
        assert line.sent == []
        line.session.say(8000)
        await settle()
        assert line.events() == ["media"] * 5 + ["mark", "media"]
        assert line.audio() == encode_ulaw(to_int16(speech(8000).samples[: LEAD_FRAMES * 160]))
        assert line.sent[5]["mark"]["name"] == "t1:800:0"


async def test_the_next_frame_follows_when_it_is_due() -> None:
    async with asyncio.timeout(5), speaking(Line()) as line:
        line.session.say(8000)
        await settle()
        line.clock.now += 0.0201
        await line.sends(8)
        assert line.events()[7:] == ["media"]


async def test_the_last_words_are_padded_and_marked() -> None:
    async with asyncio.timeout(5), speaking(Line()) as line:
        line.session.say(100)
        await line.sends(2)
        assert line.events() == ["media", "mark"]
        assert len(line.audio()) == 160
        assert line.audio()[100:] == b"\xff" * 60
        assert line.sent[1]["mark"]["name"] == "t1:100:0"


async def test_a_flush_is_the_very_next_message_and_says_what_was_heard() -> None:
    async with asyncio.timeout(5), speaking(Line()) as line:
        line.session.say(8000)
        await settle()
        line.clock.now += 0.05
        assert line.link.flush() == 400
        line.session.playout.pause(400)
        await line.sends(8)
        assert line.events()[7:] == ["clear"]
        line.clock.now += 1.0
        await settle()
        assert line.events()[7:] == ["clear"], "paused speech is not sent"


async def test_what_the_wire_has_not_taken_when_speech_is_flushed_is_not_sent_later() -> None:
    async with asyncio.timeout(5), speaking(Line()) as line:
        line.free.clear()
        line.session.say(8000)
        await settle()
        line.session.playout.pause(line.link.flush())
        line.free.set()
        await line.sends(2)
        await settle()
        assert line.events() == ["media", "clear"], "one frame was on its way, the others were never taken"


async def test_speech_goes_on_from_the_sample_where_it_was_paused() -> None:
    async with asyncio.timeout(5), speaking(Line()) as line:
        line.session.say(8000)
        await settle()
        line.clock.now += 0.05
        position = line.link.flush()
        line.session.playout.pause(position)
        await settle()
        before = len(line.audio())
        line.session.playout.resume()
        await settle()
        resumed = decode_ulaw(line.audio()[before:])
        expected = to_int16(speech(8000).samples[position : position + len(resumed)])
        assert len(resumed) == LEAD_FRAMES * 160
        assert np.array_equal(resumed[40:], decode_ulaw(encode_ulaw(expected))[40:]), "after the ramp, the same"


async def test_marks_tell_the_session_what_was_heard() -> None:
    async with asyncio.timeout(5), speaking(Line()) as line:
        line.session.say(100)
        await line.sends(2)
        assert not line.session.playout.silent
        line.link.passed("t1:100:0")
        assert line.session.playout.silent


async def test_marks_of_flushed_speech_tell_nothing() -> None:
    async with asyncio.timeout(5), speaking(Line()) as line:
        line.session.say(8000)
        await settle()
        line.session.playout.pause(line.link.flush())
        line.link.passed("t1:800:0")
        assert line.session.playout.heard_position == 0
        assert line.link.stray_marks == 1


async def test_the_clock_tells_the_session_what_was_heard_between_marks() -> None:
    async with asyncio.timeout(5), speaking(Line()) as line:
        line.session.say(8000)
        await settle()
        line.clock.now += 0.06
        while line.session.playout.heard_position < 480:
            await asyncio.sleep(0.005)
        assert line.session.playout.heard_position == 480


async def test_keys_are_sounded_when_the_agent_has_spoken_and_count_as_no_speech() -> None:
    async with asyncio.timeout(5), speaking(Line()) as line:
        line.session.say(160)
        line.link.send_digits("1")
        await settle()
        assert line.audio() == samples_to_ulaw(np.concatenate([speech(160).samples, tones("1")[:800]]))
        line.clock.now += 10.0
        await settle()
        assert line.session.playout.heard_position <= 160


async def test_hanging_up_ends_the_writing() -> None:
    async with asyncio.timeout(5):
        line = Line()
        line.session.say(80_000)
        line.link.hang_up("bye")
        await line.link.speak()
        assert line.link.hung_up == "bye"


async def test_a_connection_that_is_gone_ends_the_writing() -> None:
    async with asyncio.timeout(5):
        line = Line()
        line.gone = True
        line.session.say(160)
        with pytest.raises(CallerGone):
            await line.link.speak()


def chunk(number: int, *, lost: int = 0, repeated: bool = False, level: float = 0.5) -> Media:
    payload = samples_to_ulaw(np.full(160, level, np.float32))
    return Media(payload, number, 20 * (number - 1), lost, repeated)


async def test_the_caller_is_heard_at_16_khz_without_gaps() -> None:
    line = Line()
    for number in range(1, 101):
        line.link.hear(chunk(number))
    frames = line.session.frames
    assert all(frame.rate == 16_000 for frame in frames)
    assert [f.index for f in frames[1:]] == [f.end for f in frames[:-1]]
    assert frames[-1].end == 100 * 320 - 32
    assert frames[50].samples == pytest.approx(0.5, abs=0.02)


async def test_lost_chunks_are_heard_as_silence_and_repeated_ones_not_at_all() -> None:
    line = Line()
    for number in range(1, 51):
        line.link.hear(chunk(number))
    line.link.hear(chunk(50, repeated=True))
    line.link.hear(chunk(61, lost=10))
    for number in range(62, 80):
        line.link.hear(chunk(number))
    heard = np.concatenate([frame.samples for frame in line.session.frames])
    assert line.session.frames[-1].end == len(heard)
    assert len(heard) == 79 * 320 - 32
    assert heard[51 * 320 : 59 * 320] == pytest.approx(0.0, abs=0.01)


async def test_a_leap_of_the_chunk_counter_is_no_hour_of_silence() -> None:
    line = Line()
    line.link.hear(chunk(1))
    line.link.hear(chunk(10**14, lost=10**14 - 2))
    assert line.session.frames[-1].end <= 60 * 320


async def test_whoever_watches_hears_what_the_session_hears_and_no_longer_than_wanted() -> None:
    line = Line()
    watched: list[int] = []
    line.link.watch = lambda frame: watched.append(frame.index)
    for number in range(1, 4):
        line.link.hear(chunk(number))
    line.link.watch = None
    line.link.hear(chunk(4))
    assert watched == [frame.index for frame in line.session.frames[:3]]


async def test_a_key_that_somebody_else_takes_is_not_the_sessions() -> None:
    line = Line()
    line.link.on_key = lambda digit: digit == "1"
    for digit in "12":
        line.link.press(digit)
    assert line.session.pressed == ["2"]


async def test_what_the_session_notifies_is_told_to_whoever_owns_the_call() -> None:
    line = Line()
    told: list[tuple[str, dict[str, object]]] = []
    line.link.on_event = lambda event, data: told.append((event, data))
    line.link.notify("opt_out", {})
    assert told == [("opt_out", {})]


async def test_the_next_speaker_begins_with_silence_and_names_its_marks_anew() -> None:
    async with asyncio.timeout(5):
        line = Line()
        async with speaking(line):
            line.session.say(8000)
            await settle()
        before = len(line.sent)
        line.link = PhoneLink(line.protocol, line.send, clock=line.clock, after=line.link)
        session = FakeSession(line.link)
        line.link.connect(session)
        line.link.start(session.playout)
        async with speaking(line):
            session.say(160)
            await line.sends(before + 3)
        assert line.events()[before:] == ["clear", "media", "mark"]
        assert line.sent[-1]["mark"]["name"] == "t1:160:1"
