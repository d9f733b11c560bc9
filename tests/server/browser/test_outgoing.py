import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.playout import Playout
from media.speech.protocols import SpeechChunk
from server.browser.outgoing import MediaClock, OutgoingAudio

RATE = 24_000
FRAME = 480


def speaking(samples: int) -> tuple[OutgoingAudio, Playout]:
    playout = Playout(RATE)
    outgoing = OutgoingAudio(RATE, MediaClock())
    outgoing.start(playout)
    say(playout, samples)
    return outgoing, playout


def say(playout: Playout, samples: int) -> None:
    if samples:
        playout.append(1, "la", SpeechChunk(np.ones(samples, np.float32), RATE, 0, (), (), final=True))


def test_pauses_are_silence_and_the_clock_goes_on() -> None:
    outgoing, playout = speaking(0)
    frames = [outgoing.next(100.0 + n * 0.02) for n in range(3)]
    say(playout, FRAME)
    frames += [outgoing.next(100.0 + n * 0.02) for n in range(3, 5)]
    assert [frame.speech for frame in frames] == [False, False, False, True, False]
    assert [frame.index for frame in frames] == [n * FRAME for n in range(5)]
    assert not frames[0].samples.any()
    assert frames[3].samples.all()


def test_frames_are_due_every_twenty_milliseconds() -> None:
    outgoing, _ = speaking(0)
    for n in range(5):
        outgoing.next(100.0 + n * 0.02)
    assert outgoing.due() == pytest.approx(100.1)


def test_what_is_heard_follows_what_is_sent_by_the_delay() -> None:
    outgoing, _ = speaking(10 * FRAME)
    for n in range(6):
        outgoing.next(100.0 + n * 0.02)
    assert outgoing.heard(100.10, 0.2) == 0
    assert outgoing.heard(100.10, 0.08) == pytest.approx(FRAME, abs=1)
    assert outgoing.heard(109.0, 0.08) == 6 * FRAME, "no more than was sent"


def test_a_flush_gives_up_what_was_not_sent_and_ramps_down() -> None:
    outgoing, playout = speaking(10 * FRAME)
    for n in range(3):
        outgoing.next(100.0 + n * 0.02)
    position = outgoing.flush()
    playout.pause(position)
    assert position == 3 * FRAME
    ramp = outgoing.next(100.06)
    assert not ramp.speech
    assert 0 < ramp.samples[60] < 1
    assert not ramp.samples[120:].any()
    assert not outgoing.next(100.08).samples.any()
    playout.resume()
    assert outgoing.next(100.10).speech
    assert outgoing.heard(101.0, 0.0) == 4 * FRAME


def test_a_flush_in_a_pause_makes_no_sound() -> None:
    outgoing, playout = speaking(FRAME)
    outgoing.next(100.0)
    outgoing.next(100.02)
    say(playout, FRAME)
    playout.pause(outgoing.flush())
    assert not outgoing.next(100.04).samples.any()


def test_what_the_listener_dropped_does_not_count_as_heard() -> None:
    outgoing, playout = speaking(10 * FRAME)
    for n in range(6):
        outgoing.next(100.0 + n * 0.02)
    heard = outgoing.heard(100.1, 0.05)
    outgoing.recall(heard)
    playout.pause(heard)
    assert outgoing.heard(105.0, 0.05) == heard
    playout.resume()
    outgoing.next(100.12)
    assert outgoing.heard(105.0, 0.0) == heard + FRAME


def test_after_being_held_up_media_time_goes_on_and_no_speech_is_lost() -> None:
    outgoing, _ = speaking(4 * FRAME)
    outgoing.next(100.0)
    late = outgoing.next(101.0)
    assert late.index == 50 * FRAME
    assert late.speech
    assert outgoing.held_up == 1
    assert outgoing.heard(101.0 + 0.08, 0.08) == FRAME
    assert outgoing.heard(101.01 + 0.08, 0.08) == pytest.approx(FRAME + FRAME // 2, abs=1)


def test_the_mouth_finds_its_place_in_the_speech() -> None:
    outgoing, playout = speaking(0)
    outgoing.next(100.0)
    assert outgoing.position_at(0.01) is None
    say(playout, 3 * FRAME)
    assert outgoing.position_at(0.03) == FRAME // 2, "ahead of what was sent"
    outgoing.next(100.02)
    assert outgoing.position_at(0.03) == FRAME // 2
    assert outgoing.position_at(0.05) == FRAME + FRAME // 2
    assert outgoing.position_at(0.09) is None, "after the last word"
    playout.pause(outgoing.flush())
    assert outgoing.position_at(0.05) is None


@given(st.lists(st.sampled_from(["next", "late", "say", "flush", "resume", "cut"]), max_size=80))
def test_positions_never_go_back_and_the_clock_never_stands_still(steps: list[str]) -> None:
    outgoing, playout = speaking(FRAME)
    now, index, sent, heard = 100.0, -1, 0, 0
    for step in steps:
        match step:
            case "next" | "late":
                now += 0.02 if step == "next" else 0.5
                frame = outgoing.next(now)
                assert frame.index > index
                assert len(frame.samples) == FRAME
                index = frame.index
                sent = max(sent, outgoing.heard(now + 10, 0.0))
            case "say":
                say(playout, 700)
            case "flush":
                position = outgoing.flush()
                assert position <= playout.end
                playout.pause(position)
            case "resume":
                playout.resume()
            case "cut":
                playout.pause(outgoing.flush())
                playout.cut()
        position = outgoing.heard(now, 0.08)
        assert heard <= position <= sent
        heard = position
