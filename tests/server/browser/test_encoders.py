"""What the face is encoded with: steady pictures, key frames only when they are asked for."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from aiortc.codecs.h264 import h264_depayload
from aiortc.codecs.vpx import vp8_depayload
from hypothesis import given
from hypothesis import strategies as st

from server.browser.encoders import STEPS, BitrateSteps, SteadyH264Encoder, SteadyVp8Encoder

Encoder = SteadyVp8Encoder | SteadyH264Encoder


def picture(number: int, side: int = 128) -> av.VideoFrame:
    """A still background with something small that moves."""
    rgb = np.full((side, side, 3), (150, 170, 185), np.uint8)
    cv2.circle(rgb, (40 + number % 30, 64), 12, (200, 90, 80), -1)
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = number * 3600, Fraction(1, 90_000)
    return frame


class Receiver:
    """Decodes an encoder's payloads."""

    def __init__(self, encoder: Encoder) -> None:
        self._vp8 = vp8 = isinstance(encoder, SteadyVp8Encoder)
        self._depayload = vp8_depayload if vp8 else h264_depayload
        self._codec = av.CodecContext.create("libvpx" if vp8 else "h264", "r")
        self.key_frames = 0

    def show(self, payloads: list[bytes]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        data = b"".join(self._depayload(payload) for payload in payloads)
        (frame,) = self._codec.decode(av.Packet(data))
        assert isinstance(frame, av.VideoFrame)
        self.key_frames += not data[0] & 1 if self._vp8 else b"\0\0\1\x65" in data
        return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


@pytest.mark.parametrize("make", [SteadyVp8Encoder, SteadyH264Encoder])
def test_what_is_encoded_is_seen_whole_and_in_time(make: type[Encoder]) -> None:
    encoder = make()
    receiver = Receiver(encoder)
    for number in range(20):
        payloads, timestamp = encoder.encode(picture(number))
        assert timestamp == number * 3600
        assert max(map(len, payloads)) <= 1300
        seen = receiver.show(payloads)
        assert np.abs(seen.astype(int) - picture(number).to_ndarray(format="rgb24")).mean() < 3
    assert receiver.key_frames == 1


@pytest.mark.parametrize("make", [SteadyVp8Encoder, SteadyH264Encoder])
def test_a_key_frame_comes_when_it_is_asked_for_and_does_not_flash(make: type[Encoder]) -> None:
    encoder = make()
    receiver = Receiver(encoder)
    before = [receiver.show(encoder.encode(picture(number))[0]) for number in range(40)][-1]
    after = receiver.show(encoder.encode(picture(40), True)[0])
    assert receiver.key_frames == 2
    background = (slice(90, 128), slice(0, 128))
    assert np.abs(before[background].astype(int) - after[background]).max() <= 6


@pytest.mark.parametrize("make", [SteadyVp8Encoder, SteadyH264Encoder])
def test_guesses_of_bandwidth_that_waver_bring_no_key_frames(make: type[Encoder]) -> None:
    encoder = make()
    receiver = Receiver(encoder)
    for number in range(150):
        encoder.target_bitrate = (700_000, 400_000, 300_000, 900_000)[number % 4]
        receiver.show(encoder.encode(picture(number))[0])
    assert receiver.key_frames == 1


@pytest.mark.parametrize("make", [SteadyVp8Encoder, SteadyH264Encoder])
def test_a_picture_of_another_size_is_encoded_anew(make: type[Encoder]) -> None:
    encoder = make()
    receiver = Receiver(encoder)
    sizes = [receiver.show(encoder.encode(picture(n, side))[0]).shape[0] for n, side in enumerate((128, 96, 96, 128))]
    assert sizes == [128, 96, 96, 128]
    assert receiver.key_frames == 3


def steps(estimates: list[tuple[float, int | None]], sent: int) -> list[int]:
    """What is aimed at while `sent` bits a second go out and these estimates come at these times."""
    reckoning, seen, at, estimate = BitrateSteps(), [], 0.0, None
    until = estimates[-1][0] + 20
    while at < until:
        estimate = next((guess for when, guess in reversed(estimates) if when <= at), estimate)
        seen.append(reckoning.bitrate(at, estimate))
        reckoning.sent(at, sent // 8 // 25)
        at += 0.04
    return [rate for rate, before in zip(seen, [0, *seen], strict=False) if rate != before]


def test_without_congestion_all_is_sent_whatever_the_receiver_guesses() -> None:
    assert steps([(0, 300_000), (5, 250_000), (9, 2_000_000)], sent=200_000) == [600_000]


def test_a_narrow_line_gets_what_fits_at_once() -> None:
    assert steps([(0, None), (5, 420_000)], sent=550_000)[:2] == [600_000, 400_000]
    assert steps([(0, None), (5, 90_000)], sent=550_000)[:2] == [600_000, 250_000]


def test_when_the_line_has_room_again_more_is_sent_step_by_step() -> None:
    assert steps([(0, None), (5, 100_000), (20, 800_000)], sent=240_000) == [600_000, 250_000, 400_000, 600_000]


@given(st.lists(st.tuples(st.floats(0, 100), st.none() | st.integers(0, 10**9)), min_size=1, max_size=20))
def test_there_is_always_a_bitrate(estimates: list[tuple[float, int | None]]) -> None:
    assert set(steps(sorted(estimates, key=lambda pair: pair[0]), sent=500_000)) <= set(STEPS)
