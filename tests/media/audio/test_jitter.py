from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio.jitter import CLOCK_RATE, AudioPacket, Fill, JitterBuffer, Play, Step

FRAME = 960
MOST = 0.25


def packet(number: int, *, start: int = 0, frame: int = FRAME) -> AudioPacket:
    return AudioPacket(number % 65536, (start + number * frame) % (1 << 32), frame, number.to_bytes(4, "big"))


@dataclass
class Out:
    at: float
    step: Step

    @property
    def duration(self) -> int:
        return self.step.packet.duration if isinstance(self.step, Play) else self.step.duration


def run(arrivals: list[tuple[float, AudioPacket]], buffer: JitterBuffer, until: float = 0.0) -> list[Out]:
    """Let packets come at these times, and pop as a driver would: on arrival and at every deadline."""
    out: list[Out] = []

    def pop(at: float) -> None:
        out.extend(Out(at, step) for step in buffer.pop(at))

    def deadlines(limit: float) -> None:
        while (at := buffer.next_deadline()) is not None and at <= limit:
            pop(at)

    for at, arrived in sorted(arrivals, key=lambda arrival: arrival[0]):
        deadlines(at)
        buffer.add(arrived, at)
        pop(at)
    deadlines(until)
    return out


def played(out: list[Out]) -> list[int]:
    return [int.from_bytes(o.step.packet.payload, "big") for o in out if isinstance(o.step, Play)]


def test_packets_in_order_leave_at_once() -> None:
    out = run([(n * 0.02, packet(n)) for n in range(50)], JitterBuffer())
    assert played(out) == list(range(50))
    assert [o.at for o in out] == pytest.approx([n * 0.02 for n in range(50)])


def test_packets_that_overtake_each_other_leave_in_order() -> None:
    arrivals = [(0.0, packet(0)), (0.045, packet(2)), (0.05, packet(1)), (0.06, packet(3))]
    out = run(arrivals, JitterBuffer())
    assert played(out) == [0, 1, 2, 3]
    assert [o.at for o in out] == [0.0, 0.05, 0.05, 0.06]


def test_a_lost_packet_is_given_up_after_the_wait_and_recovered_from_the_next() -> None:
    arrivals = [(n * 0.02, packet(n)) for n in range(10) if n != 5]
    out = run(arrivals, JitterBuffer(least=0.04))
    fill = out[5]
    assert fill.step == Fill(FRAME, packet(6).payload)
    assert fill.at == pytest.approx(5 * 0.02 + 0.04)
    assert played(out) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_of_several_lost_packets_only_the_last_can_be_recovered() -> None:
    arrivals = [(n * 0.02, packet(n)) for n in range(20) if n not in (5, 6, 7)]
    fills = [o.step for o in run(arrivals, JitterBuffer()) if isinstance(o.step, Fill)]
    assert fills == [Fill(FRAME), Fill(FRAME), Fill(FRAME, packet(8).payload)]


def test_a_repeated_packet_is_played_once() -> None:
    buffer = JitterBuffer()
    arrivals = [(n * 0.02 + extra, packet(n)) for n in range(10) for extra in (0.0, 0.001)]
    assert played(run(arrivals, buffer)) == list(range(10))
    assert buffer.stats.late + buffer.stats.repeated == 10


def test_a_packet_that_was_given_up_is_not_played_when_it_comes_after_all() -> None:
    buffer = JitterBuffer()
    arrivals = [(n * 0.02, packet(n)) for n in range(20) if n != 5] + [(0.31, packet(5))]
    assert 5 not in played(run(arrivals, buffer))
    assert buffer.stats.late == 1


def test_the_wait_follows_the_jitter_of_the_network_and_stays_in_its_bounds() -> None:
    noise = random.Random(7)
    buffer = JitterBuffer(least=0.04, most=MOST)
    run([(n * 0.02, packet(n)) for n in range(500)], buffer)
    assert buffer.wait == 0.04
    run([(n * 0.02 + noise.uniform(0, 0.1), packet(n)) for n in range(500, 1500)], buffer)
    assert 0.09 <= buffer.wait <= 0.12
    run([(n * 0.02 + noise.uniform(0, 0.9), packet(n)) for n in range(1500, 2500)], buffer)
    assert buffer.wait == MOST


def test_under_loss_and_jitter_nearly_everything_is_played() -> None:
    noise = random.Random(3)
    sent = [(n * 0.02 + noise.uniform(0, 0.1), packet(n)) for n in range(3000) if noise.random() > 0.05]
    out = run(sent, JitterBuffer())
    assert len(played(out)) >= 0.97 * len(sent)
    recoverable = sum(isinstance(o.step, Fill) and o.step.following is not None for o in out)
    assert recoverable >= 0.75 * sum(isinstance(o.step, Fill) for o in out)


def test_a_sender_that_says_nothing_is_filled_in_at_real_time() -> None:
    out = run([(n * 0.02, packet(n)) for n in range(10)], JitterBuffer(stall=0.5), until=2.0)
    assert sum(o.duration for o in out) / CLOCK_RATE == pytest.approx(2.0 - 0.5, abs=0.021)


def test_a_sender_that_announced_its_silence_is_filled_in_without_waiting_for_more() -> None:
    arrivals = [(n * 0.02, packet(n)) for n in range(9)] + [(0.18, AudioPacket(9, 9 * FRAME, FRAME, b"\xf8"))]
    out = run(arrivals, JitterBuffer(), until=1.0)
    assert sum(o.duration for o in out) / CLOCK_RATE == pytest.approx(1.0 - 0.04, abs=0.021)


def test_what_was_said_in_a_stall_is_heard_after_it() -> None:
    buffer = JitterBuffer()
    arrivals = [(n * 0.02 if n < 10 else max(n * 0.02, 0.9), packet(n)) for n in range(100)]
    assert played(run(arrivals, buffer)) == list(range(100))
    assert buffer.stats.late == 0


def test_after_a_pause_of_the_sender_the_next_packet_is_heard_in_its_place() -> None:
    arrivals = [(n * 0.02, packet(n)) for n in [*range(10), *range(60, 70)]]
    out = run(arrivals, JitterBuffer())
    assert played(out) == [*range(10), *range(60, 70)]
    before = sum(o.duration for o in out[: next(i for i, o in enumerate(out) if o.step == Play(packet(60)))])
    assert before == 60 * FRAME


def test_timestamps_wrap() -> None:
    start = (1 << 32) - 5 * FRAME
    out = run([(n * 0.02, packet(n, start=start)) for n in range(20)], JitterBuffer())
    assert played(out) == list(range(20))


def test_a_sender_that_begins_anew_is_followed() -> None:
    buffer = JitterBuffer()
    arrivals = [(n * 0.02, packet(n)) for n in range(300)]
    arrivals += [(n * 0.02, packet(n, start=1_000_000_000)) for n in range(300, 320)]
    out = run(arrivals, buffer)
    assert played(out) == list(range(320))
    assert buffer.stats.resets == 1


def test_a_flood_is_not_heard_faster_than_real_time_for_long() -> None:
    buffer = JitterBuffer()
    out = run([(n * 0.001, packet(n)) for n in range(5000)], buffer)
    assert sum(o.duration for o in out) / CLOCK_RATE <= 5.0 + 2.2 * (buffer.stats.resets + 1)
    assert buffer.stats.resets <= 1
    assert buffer.stats.refused > 0


def test_leaping_timestamps_are_refused_rather_than_followed_at_any_speed() -> None:
    buffer = JitterBuffer()
    run([(n * 0.001, packet(0, start=n * 1_000_000)) for n in range(2000)], buffer)
    assert buffer.stats.resets <= 2
    assert buffer.stats.refused >= 1990


def test_frames_of_any_length_follow_each_other() -> None:
    lengths = [120, 960, 1920, 480, 2880, 960]
    arrivals, timestamp = [], 0
    for number, length in enumerate(lengths):
        arrivals.append((timestamp / CLOCK_RATE, AudioPacket(number, timestamp, length, bytes([number]))))
        timestamp += length
    out = run(arrivals, JitterBuffer())
    assert [o.duration for o in out] == lengths


@given(
    st.lists(
        st.tuples(
            st.integers(0, 150),  # which packet
            st.floats(0, 0.6),  # how late
        ),
        min_size=1,
        max_size=150,
    ),
    st.sampled_from([120, 480, 960, 1920]),
    st.integers(0, (1 << 32) - 1),
)
@settings(deadline=None)
def test_whatever_comes_the_output_is_gapless_and_in_order_and_nothing_is_held_too_long(
    sends: list[tuple[int, float]], frame: int, start: int
) -> None:
    arrivals = [(n * frame / CLOCK_RATE + late, packet(n, start=start, frame=frame)) for n, late in sends]
    arrivals.sort(key=lambda arrival: arrival[0])
    buffer = JitterBuffer(most=MOST)
    out = run(arrivals, buffer, until=10.0)
    assert [o.at for o in out] == sorted(o.at for o in out)
    numbers = played(out)
    assert numbers == sorted(set(numbers)), "in order, none twice"
    position = numbers[0] * frame
    for o in out:
        if isinstance(o.step, Play):
            assert int.from_bytes(o.step.packet.payload, "big") * frame == position
        position += o.duration
    first_arrival: dict[int, float] = {}
    for at, arrived in arrivals:
        first_arrival.setdefault(int.from_bytes(arrived.payload, "big"), at)
    for o in out:
        if isinstance(o.step, Play):
            held = o.at - first_arrival[int.from_bytes(o.step.packet.payload, "big")]
            assert held <= MOST + 1e-6
    stats = buffer.stats
    assert stats.received == len(numbers) + stats.late + stats.repeated + stats.refused


@given(
    st.lists(
        st.tuples(
            st.integers(0, (1 << 32) - 1),
            st.integers(1, 48).map(lambda n: n * 120),
            st.floats(0, 0.2),
        ),
        max_size=100,
    )
)
@settings(deadline=None)
def test_wild_timestamps_and_durations_never_break_it(packets: list[tuple[int, int, float]]) -> None:
    buffer = JitterBuffer()
    now, total = 0.0, 0
    for number, (timestamp, duration, pause) in enumerate(packets):
        now += pause
        buffer.add(AudioPacket(number, timestamp, duration, b"x"), now)
        steps = buffer.pop(now)
        for step in steps:
            length = step.packet.duration if isinstance(step, Play) else step.duration
            assert 0 < length <= 5760
            assert length % 120 == 0
            total += length
    assert len(buffer) <= 2 * CLOCK_RATE // 120
    assert total / CLOCK_RATE <= now + 2.5 * (buffer.stats.resets + 1) + 0.12
