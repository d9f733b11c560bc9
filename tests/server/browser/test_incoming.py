import asyncio

import numpy as np

from media.audio.frames import Samples
from media.audio.opus import OpusEncoder
from server.browser.incoming import IncomingAudio
from tests.server.browser.fakes import tone


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Ear:
    """Incoming audio at a clock that stands still until told otherwise."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.heard: list[Samples] = []
        self.failures: list[Exception] = []
        self.broken = False
        self.audio = IncomingAudio(self._hear, self.failures.append, clock=self.clock)
        encoder, samples = OpusEncoder(16_000, loss=20), tone(2.0, 16_000)
        self.packets = [encoder.encode(samples[i : i + 320]) for i in range(0, len(samples), 320)]

    def _hear(self, samples: Samples) -> None:
        if self.broken:
            raise ZeroDivisionError
        self.heard.append(samples)

    def take(self, number: int, payload: bytes | None = None) -> None:
        """A packet comes at its time; what was due before is given up."""
        self.clock.now = max(self.clock.now, 100.0 + number * 0.02)
        self.audio._drain(give_up=True)
        self.audio.add(number, number * 960, self.packets[number] if payload is None else payload)

    def voice(self) -> Samples:
        return np.concatenate(self.heard)


async def test_what_is_lost_is_recovered_or_concealed_and_nothing_is_shifted() -> None:
    ear = Ear()
    for number in range(100):
        if number not in (30, 50, 51, 52):
            ear.take(number)
    assert ear.audio.recovered == 2
    assert ear.audio.concealed == 2
    assert len(ear.voice()) == 100 * 320
    assert np.sqrt(np.mean(ear.heard[30] ** 2)) > 0.1
    ear.audio.close()


async def test_a_long_loss_is_silence() -> None:
    ear = Ear()
    for number in [*range(20), *range(60, 65)]:
        ear.take(number)
    assert len(ear.voice()) == 65 * 320
    assert not np.any(ear.voice()[35 * 320 : 59 * 320])
    ear.audio.close()


async def test_malformed_packets_are_counted_and_passed_over() -> None:
    ear = Ear()
    ear.take(0)
    ear.take(1, b"")
    ear.take(1, b"\x03")
    ear.take(1, b"\xff\xff\xff")
    ear.take(1)
    ear.take(2)
    assert ear.audio.malformed == 3
    assert len(ear.voice()) == 3 * 320
    ear.audio.close()


async def test_silence_of_the_sender_is_heard_without_another_packet() -> None:
    ear = Ear()
    ear.take(0)
    before = len(ear.voice())
    ear.clock.now += 1.2
    async with asyncio.timeout(5):
        while len(ear.voice()) == before:
            await asyncio.sleep(0.005)
    assert len(ear.voice()) >= before + 5 * 320
    ear.audio.close()


async def test_packets_that_waited_while_the_process_was_held_up_are_not_given_up() -> None:
    ear = Ear()
    for number in range(10):
        ear.take(number)
    ear.clock.now += 0.5
    ear.audio._due()  # the timer fires, far too late, before what came meanwhile is read
    for number in range(10, 35):
        ear.audio.add(number, number * 960, ear.packets[number])
    assert ear.audio.concealed == 0
    assert len(ear.voice()) == 35 * 320
    ear.audio.close()


async def test_a_session_that_fails_is_reported_and_hears_no_more() -> None:
    ear = Ear()
    ear.broken = True
    ear.take(0)
    ear.take(1)
    assert len(ear.failures) == 1
