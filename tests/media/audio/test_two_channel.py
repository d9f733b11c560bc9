from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio.frames import Samples
from media.audio.two_channel import HELD, LONGEST, Channel, Piece, TwoChannels

RATE = 8000
FRAME = 160
BEGAN = 5000.0


def channels(pieces: Sequence[Piece], length: int) -> Samples:
    """The whole: shape [2, length]. Every sample may be placed once."""
    out = np.zeros((2, length), np.float32)
    taken = np.zeros((2, length), bool)
    for piece in pieces:
        assert piece.index >= 0, "nothing lies before the beginning"
        assert piece.end <= length, "nothing lies after the end"
        assert not taken[piece.channel, piece.index : piece.end].any(), "no sample is placed twice"
        taken[piece.channel, piece.index : piece.end] = True
        out[piece.channel, piece.index : piece.end] = piece.samples
    return out


def ended(call: TwoChannels, at: float, before: Sequence[Piece] = ()) -> Samples:
    pieces, length = call.end(at)
    return channels([*before, *pieces], length)


def noise(seconds: float, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).uniform(-0.9, 0.9, round(seconds * RATE)).astype(np.float32)


def frames(sound: Samples) -> list[Samples]:
    return [sound[i : i + FRAME] for i in range(0, len(sound), FRAME)]


def test_what_the_caller_says_at_a_time_lies_at_that_sample() -> None:
    call = TwoChannels(RATE, BEGAN)
    sound = np.zeros(2 * RATE, np.float32)
    sound[12_345] = 1.0
    for number, frame in enumerate(frames(sound)):
        call.caller(frame, BEGAN + (number + 1) * 0.02)
    out = ended(call, BEGAN + 2.0)
    assert out.shape == (2, 2 * RATE)
    assert np.flatnonzero(out[Channel.CALLER]).tolist() == [12_345]


def test_what_the_agent_says_lies_where_it_is_heard() -> None:
    call = TwoChannels(RATE, BEGAN)
    said = noise(0.1)
    for number, frame in enumerate(frames(said)):
        call.agent(frame, BEGAN + 1.234 + number * 0.02)
    out = ended(call, BEGAN + 3.0)
    first = round(1.234 * RATE)
    assert np.array_equal(out[Channel.AGENT][first : first + len(said)], said)
    assert np.count_nonzero(out) == np.count_nonzero(said)


def test_frames_that_follow_each_other_have_neither_gap_nor_overlap_whatever_the_clocks_fraction() -> None:
    for fraction in np.linspace(0, 1 / RATE, 23):
        call = TwoChannels(RATE, BEGAN)
        said = noise(1.0)
        at = BEGAN + 0.5 + fraction
        for frame in frames(said):
            call.agent(frame, at)
            at += 0.02
        out = ended(call, BEGAN + 2.0)[Channel.AGENT]
        first = np.flatnonzero(out)[0]
        assert np.array_equal(out[first : first + len(said)], said)


def test_what_was_cleared_before_it_was_heard_is_not_there() -> None:
    call = TwoChannels(RATE, BEGAN)
    said = noise(0.2)
    for number, frame in enumerate(frames(said)):
        call.agent(frame, BEGAN + 1.0 + number * 0.02)
    call.cleared(BEGAN + 1.05)
    out = ended(call, BEGAN + 3.0)[Channel.AGENT]
    assert np.array_equal(out[RATE : RATE + 400], said[:400])
    assert not out[RATE + 400 :].any()


def test_speech_that_goes_on_after_a_clear_takes_the_place_of_what_was_cleared() -> None:
    call = TwoChannels(RATE, BEGAN)
    said, after = noise(0.1), noise(0.1, seed=2)
    for number, frame in enumerate(frames(said)):
        call.agent(frame, BEGAN + 1.0 + number * 0.02)
    call.cleared(BEGAN + 1.03)
    for number, frame in enumerate(frames(after)):
        call.agent(frame, BEGAN + 1.05 + number * 0.02)
    out = ended(call, BEGAN + 3.0)[Channel.AGENT]
    assert np.array_equal(out[RATE : RATE + 240], said[:240])
    assert not out[RATE + 240 : RATE + 400].any()
    assert np.array_equal(out[RATE + 400 : RATE + 1200], after)


def test_what_is_under_way_when_the_call_ends_was_not_heard() -> None:
    call = TwoChannels(RATE, BEGAN)
    said = noise(0.1)
    for number, frame in enumerate(frames(said)):
        call.agent(frame, BEGAN + 1.0 + number * 0.02)
    out = ended(call, BEGAN + 1.03)
    assert out.shape == (2, RATE + 240)
    assert np.array_equal(out[Channel.AGENT][RATE:], said[:240])


def test_a_clear_takes_nothing_back_that_was_heard_long_ago() -> None:
    call = TwoChannels(RATE, BEGAN)
    said = noise(0.1)
    for number, frame in enumerate(frames(said)):
        call.agent(frame, BEGAN + 1.0 + number * 0.02)
    early = call.settled(BEGAN + 1.1 + HELD)
    assert sum(len(piece.samples) for piece in early) == len(said)
    call.cleared(BEGAN + 2.4)
    out = ended(call, BEGAN + 3.0, early)[Channel.AGENT]
    assert np.array_equal(out[RATE : RATE + len(said)], said)


def test_chunks_that_never_came_are_silence_of_their_length() -> None:
    call = TwoChannels(RATE, BEGAN)
    sound = noise(2.0)
    lost = 0
    for number, frame in enumerate(frames(sound)):
        if 40 <= number < 47:
            lost += FRAME
            continue
        call.caller(frame, BEGAN + (number + 1) * 0.02, lost=lost)
        lost = 0
    expected = sound.copy()
    expected[40 * FRAME : 47 * FRAME] = 0
    assert np.array_equal(ended(call, BEGAN + 2.0)[Channel.CALLER], expected)


def test_jitter_of_the_network_leaves_the_callers_voice_whole_and_in_its_place() -> None:
    late = random.Random(7)
    call = TwoChannels(RATE, BEGAN)
    sound = noise(5.0)
    at = BEGAN
    for number, frame in enumerate(frames(sound)):
        at = max(at, BEGAN + (number + 1) * 0.02 + late.uniform(0, 0.08))
        call.caller(frame, at)
    out = ended(call, BEGAN + 5.2)[Channel.CALLER]
    first = int(np.flatnonzero(out)[0])
    assert np.array_equal(out[first : first + len(sound)], sound)
    assert first <= 0.02 * RATE, "as late as the least late chunk of the first half second"


def test_a_first_chunk_that_came_late_moves_nothing() -> None:
    call = TwoChannels(RATE, BEGAN)
    sound = noise(2.0)
    for number, frame in enumerate(frames(sound)):
        call.caller(frame, BEGAN + max(0.3, (number + 1) * 0.02))
    assert np.array_equal(ended(call, BEGAN + 2.0)[Channel.CALLER], sound)


def test_what_comes_in_a_burst_after_a_stall_keeps_its_place() -> None:
    call = TwoChannels(RATE, BEGAN)
    sound = noise(8.0)
    taken: list[Piece] = []
    for number, frame in enumerate(frames(sound)):
        spoken = (number + 1) * 0.02
        at = BEGAN + (5.0 if 2.0 < spoken < 5.0 else spoken)
        call.caller(frame, at)
        taken += call.settled(at)
    assert np.array_equal(ended(call, BEGAN + 8.0, taken)[Channel.CALLER], sound)


def test_a_line_that_was_silent_without_saying_so_is_put_right_within_a_second() -> None:
    call = TwoChannels(RATE, BEGAN)
    sound = noise(6.0)
    for number, frame in enumerate(frames(sound)):
        pause = 2.0 if number >= 100 else 0.0
        call.caller(frame, BEGAN + (number + 1) * 0.02 + pause)
    out = ended(call, BEGAN + 8.0)[Channel.CALLER]
    assert np.array_equal(out[-2 * RATE :], sound[-2 * RATE :])
    assert np.array_equal(out[: 2 * RATE], sound[: 2 * RATE])


def test_a_carriers_clock_that_drifts_is_followed() -> None:
    for drift in (0.9998, 1.0002):
        call = TwoChannels(RATE, BEGAN)
        level = np.ones(FRAME, np.float32)
        taken: list[Piece] = []
        for number in range(30_000):  # ten minutes
            at = BEGAN + (number + 1) * 0.02 * drift
            call.caller(level, at)
            taken += call.settled(at)
        out = ended(call, BEGAN + 605.0, taken)[Channel.CALLER]
        end = int(np.flatnonzero(out)[-1]) + 1
        assert abs(end - 600 * RATE * drift) <= 0.03 * RATE


def test_what_the_caller_said_while_the_call_was_being_answered_is_kept() -> None:
    call = TwoChannels(RATE, BEGAN)
    sound, said = noise(2.0), noise(0.1, seed=2)
    for number, frame in enumerate(frames(sound)):  # all that came in 0.7 s waits and is read at once
        call.caller(frame, BEGAN + max(0.01, (number + 1) * 0.02 - 0.7))
    for number, frame in enumerate(frames(said)):
        call.agent(frame, BEGAN + 1.0 + number * 0.02)
    out = ended(call, BEGAN + 1.5)
    assert out.shape == (2, round(2.2 * RATE))
    assert np.array_equal(out[Channel.CALLER][: len(sound)], sound)
    first = round(1.7 * RATE)
    assert np.array_equal(out[Channel.AGENT][first : first + len(said)], said)


def test_a_beginning_that_is_found_too_late_moves_nothing_that_is_done() -> None:
    call = TwoChannels(RATE, BEGAN)
    said, sound = noise(0.1, seed=2), noise(1.0)
    for number, frame in enumerate(frames(said)):
        call.agent(frame, BEGAN + number * 0.02)
    early = call.settled(BEGAN + 2.0)
    for number, frame in enumerate(frames(sound)):
        call.caller(frame, BEGAN + 2.0, lost=120 * FRAME if number == 1 else 0)
    out = ended(call, BEGAN + 2.0, early)
    assert np.array_equal(out[Channel.AGENT][: len(said)], said)
    assert np.array_equal(out[Channel.CALLER][-40 * FRAME :], sound[-40 * FRAME :])


def test_the_agents_first_frame_is_heard_when_the_call_begins_at_the_earliest() -> None:
    call = TwoChannels(RATE, BEGAN)
    call.agent(np.ones(FRAME, np.float32), BEGAN - 0.01)
    assert np.flatnonzero(ended(call, BEGAN + 1.0)[Channel.AGENT])[0] == 0


def test_nothing_is_kept_beyond_the_longest_call() -> None:
    call = TwoChannels(RATE, BEGAN)
    call.agent(np.ones(FRAME, np.float32), BEGAN + LONGEST + 1.0)
    pieces, length = call.end(BEGAN + LONGEST + 10.0)
    assert pieces == []
    assert length == LONGEST * RATE


def test_a_call_in_which_nobody_spoke_is_silence() -> None:
    pieces, length = TwoChannels(RATE, BEGAN).end(BEGAN + 1.5)
    assert (pieces, length) == ([], 12_000)


Steps = st.lists(
    st.tuples(
        st.sampled_from(["caller", "agent", "clear", "settle"]),
        st.floats(0.0, 0.4),
        st.integers(1, 400),
        st.integers(0, 500),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(Steps)
def test_the_agents_channel_is_what_was_placed_and_not_cleared(steps: list[tuple[str, float, int, int]]) -> None:
    """Against a plain array in which a clear overwrites."""
    call = TwoChannels(RATE, BEGAN)
    array = np.zeros(40 * RATE, np.float32)
    now, end, taken, value = 0.0, 0, list[Piece](), 0
    for what, pause, count, _ in steps:
        now += pause
        if what == "agent":
            value += 1
            at = max(end / RATE, now)
            index = round(at * RATE)
            array[index : index + count] = value
            end = index + count
            call.agent(np.full(count, value, np.float32), BEGAN + at)
        elif what == "clear":
            index = round(now * RATE)
            array[index:] = 0
            end = min(end, index)
            call.cleared(BEGAN + now)
        elif what == "settle":
            taken += call.settled(BEGAN + now)
    out = ended(call, BEGAN + now, taken)[Channel.AGENT]
    # times are rounded to samples on both sides: a frame may lie one sample apart
    wrong = np.count_nonzero(out != array[: len(out)])
    assert wrong <= 2 * len(steps)


@settings(max_examples=200, deadline=None)
@given(Steps)
def test_whatever_arrives_when_every_sample_is_placed_at_most_once(
    steps: list[tuple[str, float, int, int]],
) -> None:
    call = TwoChannels(RATE, BEGAN)
    now, taken, given_samples = 0.0, list[Piece](), 0
    for what, pause, count, lost in steps:
        now += pause
        if what == "caller":
            call.caller(np.ones(count, np.float32), BEGAN + now, lost=lost)
            given_samples += count
        elif what == "agent":
            call.agent(np.ones(count, np.float32), BEGAN + now)
        elif what == "clear":
            call.cleared(BEGAN + now)
        else:
            taken += call.settled(BEGAN + now)
    out = ended(call, BEGAN + now, taken)
    assert 0 <= out.shape[1] - round(now * RATE) <= 5 * RATE
    assert np.count_nonzero(out[Channel.CALLER]) <= given_samples
