from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.speech.activity.segmenter import SegmenterOptions, SpeechEvent, SpeechEventKind, SpeechSegmenter
from media.speech.activity.windows import BLOCK, WINDOW, ActivityWindow

K = SpeechEventKind
LOUD, QUIET = -20.0, -70.0


def windows(*runs: tuple[int, float, float]) -> list[ActivityWindow]:
    """Runs of (how many windows, probability, level in dBFS), one after the other."""
    out: list[ActivityWindow] = []
    for count, probability, level in runs:
        for _ in range(count):
            out.append(ActivityWindow(len(out) * WINDOW, probability, (level,) * 4))
    return out


def events(given_windows: list[ActivityWindow], options: SegmenterOptions | None = None) -> list[SpeechEvent]:
    segmenter = SpeechSegmenter(options)
    return [event for window in given_windows for event in segmenter.feed(window)]


def kinds(found: list[SpeechEvent]) -> list[SpeechEventKind]:
    return [event.kind for event in found]


def test_the_first_window_of_speech_is_told_at_once_and_confirmed_later() -> None:
    found = events(windows((10, 0.01, QUIET), (5, 0.9, LOUD)))
    assert kinds(found) == [K.POSSIBLE_SPEECH, K.STARTED]
    assert [event.now for event in found] == [11 * WINDOW, 13 * WINDOW]
    assert {event.at for event in found} == {10 * WINDOW}


def test_speech_began_where_the_sound_did_though_the_model_was_sure_later() -> None:
    found = events(windows((10, 0.01, QUIET), (2, 0.2, LOUD), (4, 0.9, LOUD)))
    assert found[0].now == 13 * WINDOW
    assert found[0].at == 10 * WINDOW


def test_the_onset_is_looked_for_only_a_quarter_of_a_second_back() -> None:
    found = events(windows((10, 0.01, QUIET), (40, 0.2, LOUD), (4, 0.9, LOUD)))
    assert found[0].now - found[0].at == 4_000 - 4_000 % BLOCK


def test_a_click_is_possible_speech_and_then_none() -> None:
    found = events(windows((10, 0.01, QUIET), (1, 0.9, LOUD), (5, 0.05, QUIET)))
    assert kinds(found) == [K.POSSIBLE_SPEECH, K.NO_SPEECH]
    assert found[-1].now == 13 * WINDOW


def test_a_sound_as_quiet_as_the_line_is_no_speech_whatever_the_model_says() -> None:
    assert events(windows((100, 0.01, -50.0), (20, 0.9, -48.0))) == []


def test_silence_is_hinted_by_the_level_before_the_model_hears_it() -> None:
    found = events(windows((10, 0.01, QUIET), (20, 0.95, LOUD), (3, 0.95, QUIET), (5, 0.02, QUIET)))
    assert kinds(found) == [K.POSSIBLE_SPEECH, K.STARTED, K.POSSIBLE_SILENCE, K.STOPPED]
    hint, stopped = found[2:]
    assert hint.at == stopped.at == 30 * WINDOW
    assert hint.now == 32 * WINDOW
    assert stopped.now == 35 * WINDOW
    assert stopped.voiced == 20 * WINDOW


def test_on_a_noisy_line_silence_is_told_by_the_model() -> None:
    found = events(windows((100, 0.01, -30.0), (20, 0.95, LOUD), (3, 0.95, -30.0), (6, 0.05, -30.0)))
    assert kinds(found) == [K.POSSIBLE_SPEECH, K.STARTED, K.POSSIBLE_SILENCE, K.STOPPED]
    assert found[2].now == 124 * WINDOW
    assert found[3].now <= 126 * WINDOW


def test_a_gap_between_sounds_is_hinted_and_taken_back() -> None:
    found = events(windows((10, 0.01, QUIET), (10, 0.95, LOUD), (2, 0.9, QUIET), (10, 0.95, LOUD)))
    assert kinds(found) == [K.POSSIBLE_SPEECH, K.STARTED, K.POSSIBLE_SILENCE, K.RESUMED]
    assert found[-1].at == 22 * WINDOW
    assert found[-1].now == 23 * WINDOW


def test_speech_ends_to_the_block() -> None:
    given_windows = windows((10, 0.01, QUIET), (10, 0.95, LOUD))
    given_windows.append(ActivityWindow(20 * WINDOW, 0.95, (LOUD, QUIET, QUIET, QUIET)))
    given_windows += [ActivityWindow((21 + n) * WINDOW, 0.01, (QUIET,) * 4) for n in range(6)]
    assert events(given_windows)[-1].at == 20 * WINDOW + BLOCK


def test_speech_that_stopped_can_begin_again() -> None:
    once = ((10, 0.01, QUIET), (10, 0.95, LOUD))
    found = events(windows(*once, *once, (10, 0.01, QUIET)))
    expected = [K.POSSIBLE_SPEECH, K.STARTED, K.POSSIBLE_SILENCE, K.STOPPED]
    assert kinds(found) == expected + expected
    assert found[-1].voiced == 10 * WINDOW


def test_a_whisper_keeps_a_turn_open_that_it_could_not_begin() -> None:
    found = events(windows((10, 0.01, QUIET), (10, 0.95, -30.0), (20, 0.3, -35.0), (10, 0.9, -30.0)))
    assert K.STOPPED not in kinds(found)


def test_how_many_windows_confirm_speech_is_an_option() -> None:
    found = events(windows((10, 0.01, QUIET), (1, 0.9, LOUD)), SegmenterOptions(start_windows=1))
    assert kinds(found) == [K.POSSIBLE_SPEECH, K.STARTED]


@pytest.mark.parametrize(
    "wrong",
    [{"start": 0.2}, {"stop": 0.0}, {"doubt": 0.9}, {"start_windows": 0}, {"silence": 0.01}, {"silence_hint": 0.0}],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        SegmenterOptions(**wrong)  # type: ignore[arg-type]


FOLLOWS = {
    None: {K.POSSIBLE_SPEECH},
    K.POSSIBLE_SPEECH: {K.STARTED, K.NO_SPEECH},
    K.NO_SPEECH: {K.POSSIBLE_SPEECH},
    K.STARTED: {K.POSSIBLE_SILENCE},
    K.POSSIBLE_SILENCE: {K.RESUMED, K.STOPPED},
    K.RESUMED: {K.POSSIBLE_SILENCE},
    K.STOPPED: {K.POSSIBLE_SPEECH},
}


@given(st.lists(st.tuples(st.integers(1, 8), st.floats(0, 1), st.floats(-75, 0)), max_size=30))
def test_events_come_in_a_sensible_order_at_sensible_times(runs: list[tuple[int, float, float]]) -> None:
    last: SpeechEvent | None = None
    for event in events(windows(*runs)):
        assert event.kind in FOLLOWS[last.kind if last else None]
        assert event.at <= event.now
        if last is not None:
            assert last.now <= event.now
            assert event.kind is not K.STOPPED or event.at >= last.at
        last = event
