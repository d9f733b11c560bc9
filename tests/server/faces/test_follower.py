"""A face follows what a session says and what sounds, in virtual time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.avatar.driver import CLOSING, FaceDriver, Mood
from media.avatar.face import FaceState, MouthWeights
from media.avatar.visemes import MouthTrack, PhonemeTrack, openness
from server.faces.follower import IDLE_AFTER, FaceFollower

PERIOD = 0.04


class Stage:
    """A follower that is asked for a face every 40 ms; `seen` are the faces, `taken` the positions speech began at."""

    def __init__(self, track: MouthTrack | None = None) -> None:
        vowel = PhonemeTrack()
        vowel.add("ɑː", 0.0, 600.0)
        self.track = track or vowel
        self.taken: list[float] = []
        self.seen: list[FaceState] = []
        self.at = 0.0
        self.follower = FaceFollower(FaceDriver(seed=3), self._track_from)

    @property
    def mood(self) -> Mood:
        return self.follower.mood

    def _track_from(self, position: float) -> MouthTrack:
        self.taken.append(position)
        return self.track

    def run(self, seconds: float, *, speech: float | None = None) -> FaceState:
        """Let time pass, in silence or with speech that sounds from a position on."""
        began = self.at
        for _ in range(round(seconds / PERIOD)):
            position = None if speech is None else speech + self.at - began
            self.seen.append(self.follower.face_at(self.at, position))
            self.at += PERIOD
        return self.seen[-1]

    def state(self, name: str) -> None:
        self.follower.session_event("state", {"state": name})

    def caller(self, *, speaking: bool) -> None:
        self.follower.session_event("caller", {"speaking": speaking})


@pytest.mark.parametrize(
    ("state", "mood"),
    [
        ("listening", Mood.LISTENING),
        ("thinking", Mood.THINKING),
        ("speaking", Mood.SPEAKING),
        ("interrupted", Mood.LISTENING),
        ("ended", Mood.IDLE),
    ],
)
def test_the_mood_is_what_the_session_does(state: str, mood: Mood) -> None:
    stage = Stage()
    assert stage.run(0.2) is not None
    assert stage.mood is Mood.IDLE
    stage.state(state)
    stage.run(0.2)
    assert stage.mood is mood


def test_whoever_sounds_is_seen_to_speak_whatever_was_said_of_it() -> None:
    stage = Stage()
    stage.state("listening")
    stage.run(0.2, speech=0.0)
    assert stage.mood is Mood.SPEAKING


def test_a_face_that_listens_to_nobody_relaxes_and_is_attentive_again_at_once() -> None:
    stage = Stage()
    stage.state("listening")
    moods = []
    for seconds in (IDLE_AFTER - 0.2, 0.4):
        stage.run(seconds)
        moods.append(stage.mood)
    stage.caller(speaking=True)
    for seconds in (PERIOD, 2 * IDLE_AFTER):  # a caller who speaks for long is listened to
        stage.run(seconds)
        moods.append(stage.mood)
    assert moods == [Mood.LISTENING, Mood.IDLE, Mood.LISTENING, Mood.LISTENING]


def test_speech_is_taken_up_once_and_read_on() -> None:
    stage = Stage()
    stage.run(0.4)
    stage.run(4.0, speech=7.5)
    assert stage.taken == [7.5]
    assert openness(stage.seen[-1].mouth) > 0.5


def test_the_mouth_closes_when_the_sound_stops_and_goes_on_where_it_was() -> None:
    stage = Stage()
    stage.run(1.0, speech=0.0)
    closed = stage.run(CLOSING + PERIOD)
    assert openness(closed.mouth) < 0.01
    opened = stage.run(0.3, speech=1.0)
    assert openness(opened.mouth) > 0.5
    assert stage.taken == pytest.approx([0.0, 1.0])


def test_speech_that_was_held_up_is_taken_up_where_it_really_is() -> None:
    stage = Stage()
    stage.run(1.0, speech=0.0)
    stage.run(1.0, speech=0.5)  # half a second late: the media clock went on without it
    assert stage.taken == [0.0, 0.5]


def test_the_pictures_of_a_change_differ_little_from_one_to_the_next() -> None:
    stage = Stage()
    stage.run(1.0)
    for state, speech in (("listening", None), ("thinking", None), ("speaking", 0.0), ("interrupted", None)):
        stage.state(state)
        stage.run(0.8, speech=speech)
    turns = [
        abs(b.pitch - a.pitch) + abs(b.yaw - a.yaw) + abs(b.roll - a.roll) for a, b in itertools.pairwise(stage.seen)
    ]
    assert max(turns) < 0.02
    assert all(a is not b for a, b in itertools.pairwise(stage.seen))


def nods(stage: Stage) -> float:
    """How far the head went down, against the same second of a face that was not told of a pause."""
    alone = Stage()
    alone.state("listening")
    alone.caller(speaking=True)
    alone.run(2.0)
    alone.run(1.0)
    return max(a.pitch - b.pitch for a, b in zip(alone.seen[50:], stage.seen[50:], strict=False))


def test_it_nods_when_the_caller_pauses() -> None:
    stage = Stage()
    stage.state("listening")
    stage.caller(speaking=True)
    stage.run(2.0)
    stage.caller(speaking=False)
    stage.run(1.0)
    assert nods(stage) > 0.03


def test_it_does_not_nod_at_a_silence_that_follows_no_words_nor_while_it_speaks() -> None:
    stage = Stage()
    stage.state("listening")
    stage.caller(speaking=True)
    stage.run(2.0)
    stage.follower.session_event("caller", {"speaking": True})
    stage.run(1.0)
    assert nods(stage) < 0.001


def test_events_it_has_no_use_for_change_nothing() -> None:
    stage, other = Stage(), Stage()
    stage.follower.session_event("latency", {"turn": 1})
    stage.follower.session_event("state", {"state": "no such state"})
    stage.follower.session_event("avatar", {})
    assert np.array_equal(stage.run(1.0).mouth, other.run(1.0).mouth)


class Any(MouthTrack):
    def mouth(self, at: float) -> MouthWeights:
        return PhonemeTrack().mouth(at)

    def emphasis(self, at: float) -> float:
        return 0.0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["listening", "thinking", "speaking", "interrupted", "ended"]),
            st.none() | st.floats(0, 1000),
            st.floats(0, 0.5),
        ),
        max_size=30,
    )
)
def test_whatever_happens_there_is_a_face_with_numbers_in_their_ranges(
    happened: list[tuple[str, float | None, float]],
) -> None:
    stage = Stage(Any())
    for state, position, seconds in happened:
        stage.state(state)
        stage.at += seconds
        face = stage.follower.face_at(stage.at, position)
        assert np.isfinite(face.mouth).all()
        assert all(0 <= lid <= 1 for lid in face.lids)
        assert max(abs(face.yaw), abs(face.pitch), abs(face.roll)) < 0.3
