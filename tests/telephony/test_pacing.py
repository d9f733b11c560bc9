import base64
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.pacing import MAX_LAG, PARTIAL_MARGIN, PhonePacer
from tests.peers.playback import Playback

LEAD = 0.12
FRAME = 160


class Speech:
    """A source that always has more to say, and a pacer that sends it when it is due."""

    def __init__(self, pacer: PhonePacer, turn_id: int = 1) -> None:
        self.pacer = pacer
        self.turn_id = turn_id
        self.position = 0
        self.sent: list[float] = []
        self.marks: list[str] = []

    def send_due(self, now: float, *, left: int | None = None) -> list[str | None]:
        """Send all frames due by `now`, at most `left`; returns the mark asked for after each."""
        out: list[str | None] = []
        while self.pacer.due() <= now and (left is None or len(out) < left):
            last = left is not None and len(out) + 1 == left
            out.append(self.send(now, last=last))
        return out

    def send(self, now: float, samples: int = FRAME, *, last: bool = False) -> str | None:
        start, self.position = self.position, self.position + samples
        mark = self.pacer.sent(now, start, self.position, self.turn_id, last=last)
        self.sent.append(now)
        if mark:
            self.marks.append(mark)
        return mark


def test_speech_begins_with_one_lead_at_once_and_goes_on_frame_by_frame() -> None:
    speech = Speech(PhonePacer(lead=LEAD))
    assert len(speech.send_due(10.0)) == 6
    assert speech.pacer.due() == pytest.approx(10.02, abs=1e-6)
    for tick in range(1, 100):
        now = 10.0 + tick * 0.02 + 1e-6
        assert len(speech.send_due(now)) == 1, tick


def test_a_late_loop_catches_up_without_drifting() -> None:
    speech = Speech(PhonePacer(lead=LEAD))
    speech.send_due(0.0)
    late = [0.05, 0.07, 0.151, 0.16, 0.24, 0.301]
    for now in late:
        speech.send_due(now)
    assert len(speech.sent) == (0.301 + LEAD) // 0.02


def test_a_stall_longer_than_the_lead_is_followed_by_one_lead_and_no_more() -> None:
    speech = Speech(PhonePacer(lead=LEAD))
    speech.send_due(0.0)
    assert len(speech.send_due(5.0)) == 6
    assert speech.send_due(5.0) == []
    assert len(speech.send_due(5.0201)) == 1


def test_an_underrun_makes_the_next_word_leave_at_once() -> None:
    speech = Speech(PhonePacer(lead=LEAD))
    speech.send_due(0.0, left=2)
    assert speech.pacer.due() <= 0.3
    speech.pacer.passed(0.04, "t1:320:0")
    speech.send(0.3)
    assert speech.pacer.heard(0.31) == 2 * FRAME + 80


def test_a_frame_that_would_be_padded_waits_until_it_is_nearly_due() -> None:
    pacer = PhonePacer(lead=LEAD)
    assert pacer.due(partial=True) <= 0.0, "nothing plays: a short word does not wait"
    Speech(pacer).send_due(0.0)
    assert pacer.due(partial=True) == pytest.approx(LEAD - PARTIAL_MARGIN, abs=1e-6)


def test_marks_are_asked_for_every_100_ms_and_at_the_end() -> None:
    speech = Speech(PhonePacer(lead=0.2))
    asked = [speech.send(0.02 * i, last=i == 11) for i in range(12)]
    assert [i for i, mark in enumerate(asked) if mark] == [4, 9, 11]
    assert speech.marks == ["t1:800:0", "t1:1600:0", "t1:1920:0"]


def test_a_mark_at_the_end_counts_samples_not_padding() -> None:
    speech = Speech(PhonePacer())
    assert speech.send(0.0, samples=37, last=True) == "t1:37:0"
    assert speech.pacer.heard(0.5) == 37


def test_without_marks_heard_runs_by_the_clock_and_stops_at_what_was_sent() -> None:
    speech = Speech(PhonePacer())
    for _ in range(3):
        speech.send(1.0)
    pacer = speech.pacer
    assert [pacer.heard(t) for t in (0.9, 1.0, 1.01, 1.025, 1.06, 9.0)] == [0, 0, 80, 200, 480, 480]
    assert pacer.finished


def test_a_mark_that_comes_back_early_raises_what_was_heard() -> None:
    speech = Speech(PhonePacer())
    speech.send_due(0.0)
    assert speech.pacer.passed(0.05, "t1:800:0") == 800
    assert speech.pacer.heard(0.06) == 800, "and it does not fall back to the clock"


def test_an_overdue_mark_holds_the_reckoning_back() -> None:
    speech = Speech(PhonePacer())
    speech.send_due(0.0)
    speech.send_due(0.1)
    assert speech.pacer.heard(0.20) == 800
    assert speech.pacer.passed(0.25, "t1:800:0") == 800
    assert speech.pacer.heard(0.26) == 880, "from now on as late as that mark was"


def test_a_peer_that_answers_no_mark_is_heard_a_second_late_and_to_the_end() -> None:
    speech = Speech(PhonePacer())
    speech.send_due(0.0, left=6)
    assert speech.pacer.heard(MAX_LAG + 0.09) <= 800
    assert speech.pacer.heard(MAX_LAG + 0.13) == 960
    for i in range(1000):
        speech.send(2.0 + 0.02 * i)
    speech.pacer.passed(25.0, "t1:960:0")
    assert speech.pacer.stray_marks == 1, "marks never answered are forgotten in the end"


def test_a_later_mark_answers_for_those_before_it() -> None:
    speech = Speech(PhonePacer(lead=0.3))
    speech.send_due(0.0)
    assert speech.pacer.passed(0.21, "t1:1600:0") == 1600
    assert speech.pacer.heard(0.25) == 1600 + 320
    assert speech.pacer.passed(0.26, "t1:800:0") == 1600 + 400
    assert speech.pacer.stray_marks == 1


def test_a_clear_says_what_was_heard_and_its_marks_do_not_count() -> None:
    speech = Speech(PhonePacer())
    speech.send_due(0.0)
    pacer = speech.pacer
    assert pacer.clear(0.05) == 400
    assert pacer.passed(0.06, "t1:800:0") == 400
    assert pacer.heard(5.0) == 400
    assert pacer.finished
    assert pacer.stray_marks == 1


def test_the_same_words_sent_again_after_a_clear_have_marks_of_their_own() -> None:
    speech = Speech(PhonePacer())
    speech.send_due(0.0)
    speech.position = speech.pacer.clear(0.05)
    assert speech.pacer.due() <= 0.05, "speech that goes on leaves at once"
    for _ in range(5):
        speech.send(1.0)
    assert speech.marks == ["t1:800:0", "t1:1200:1"]
    speech.pacer.passed(1.0, "t1:800:0")
    assert speech.pacer.heard(1.0) == 400


def test_a_clear_with_nothing_under_way_is_harmless() -> None:
    pacer = PhonePacer()
    assert pacer.clear(1.0) == 0
    assert pacer.clear(2.0) == 0
    assert pacer.finished


def media(frame_number: int) -> dict[str, Any]:
    payload = base64.b64encode(bytes([frame_number % 251]) * FRAME).decode()
    return {"event": "media", "media": {"payload": payload}}


class Line:
    """A pacer and Twilio's playback joined by a line that delays, on virtual time in steps of 5 ms."""

    def __init__(self, down: float, up: float) -> None:
        self.pacer = PhonePacer(lead=LEAD)
        self.playback = Playback()
        self.down, self.up = down, up
        self.now = 0.0
        self.position = 0  # of the source
        self.really_heard = 0
        self.played_until = 0.0
        self._to_peer: deque[tuple[float, dict[str, Any]]] = deque()
        self._to_us: deque[tuple[float, str]] = deque()
        self._playing: deque[int] = deque()
        self._number = 0

    def send_due(self) -> None:
        while self.pacer.due() <= self.now:
            start, self.position = self.position, self.position + FRAME
            mark = self.pacer.sent(self.now, start, self.position, 1, last=False)
            self._to_peer.append((self.now + self.down, media(self._number)))
            self._playing.append(self.position)
            self._number += 1
            if mark:
                self._to_peer.append((self.now + self.down, {"event": "mark", "mark": {"name": mark}}))

    def clear(self) -> int:
        self.position = self.pacer.clear(self.now)
        self._to_peer.append((self.now + self.down, {"event": "clear"}))
        return self.position

    def step(self) -> None:
        self.now += 0.005
        while self._to_peer and self._to_peer[0][0] <= self.now:
            message = self._to_peer.popleft()[1]
            self.playback.receive(message)
            if message["event"] == "clear":
                waiting = sum(m["event"] == "media" for _, m in self._to_peer)
                while len(self._playing) > waiting:
                    self._playing.popleft()
        if self.now >= self.played_until:
            marks, frame = self.playback.tick()
            self._to_us.extend((self.now + self.up, name) for name in marks)
            if frame is not None:
                self.really_heard = self._playing.popleft()  # counted as heard from when it begins
                self.played_until = self.now + 0.02
        while self._to_us and self._to_us[0][0] <= self.now:
            self.pacer.passed(self.now, self._to_us.popleft()[1])


@given(
    down=st.floats(0, 0.3),
    up=st.floats(0, 0.3),
    acts=st.lists(st.sampled_from(["speak", "speak", "speak", "stall", "clear"]), min_size=20, max_size=200),
)
def test_the_reckoning_stays_within_one_mark_of_what_is_really_heard(down: float, up: float, acts: list[str]) -> None:
    line = Line(down, up)
    before = 0
    for act in acts:
        if act == "clear":
            assert line.clear() >= before
        elif act == "speak":
            line.send_due()
        line.step()
        heard = line.pacer.heard(line.now)
        assert before <= heard <= line.pacer.sent_position
        if "clear" not in acts:
            assert heard <= line.really_heard + 800
        assert line.playback.queued_frames <= 6 + 1
        before = heard
    if "clear" not in acts:
        for _ in range(400):
            line.step()
        assert line.pacer.heard(line.now) == line.pacer.sent_position, "in the end all that was sent was heard"


def test_a_frame_is_heard_when_it_is_sent_or_when_the_one_before_has_ended() -> None:
    pacer = PhonePacer()
    assert pacer.heard_from(5.0) == 5.0
    pacer.sent(5.0, 0, 160, 1, last=False)
    assert pacer.heard_from(5.0) == pytest.approx(5.02)
    assert pacer.heard_from(6.0) == 6.0


def test_a_pacer_that_follows_on_the_same_stream_does_not_take_the_marks_of_the_one_before() -> None:
    first = PhonePacer()
    name = first.sent(0.0, 0, 160, 1, last=True)
    second = PhonePacer(epoch=first.epoch + 1)
    assert second.sent(0.0, 0, 160, 1, last=True) != name
    assert name is not None
    second.passed(0.001, name)
    assert second.stray_marks == 1
