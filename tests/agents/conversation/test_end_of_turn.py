"""When a turn ends: judges, silence, hesitation, words that come late or never."""

from __future__ import annotations

import pytest

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.model import State
from tests.agents.conversation.script import asked, greeted, kinds

QUESTION = "What time do you close today?"
ENDS = 12.0
"""When the caller of `asked` stops."""


def test_a_turn_opens_when_the_caller_speaks_and_its_audio_begins_where_the_voice_did() -> None:
    script = asked().run(11.0)
    script.expect(State.HEARING)
    assert script.all(act.OpenTurn)[0].at == 10.5
    assert script.times(act.OpenTurn) == [pytest.approx(10.62)]


def test_a_hint_that_was_a_false_alarm_opens_no_turn() -> None:
    script = greeted()
    script.clicks(10.5)
    script.run(12.0)
    script.expect(State.LISTENING)
    assert script.log == []


def test_a_turn_that_sounds_and_reads_finished_ends_as_soon_as_its_words_are_judged() -> None:
    script = asked().run(13.0)
    assert script.confirmed == [QUESTION]
    assert script.all(act.ConfirmTurn)[0].ended_at == ENDS
    # The recogniser is asked 0.1 s after the last sound and takes 0.15 s, the judge of words 0.04 s.
    assert script.silence == pytest.approx(0.29)
    script.expect(State.SPEAKING)


def test_with_everything_known_the_shortest_silence_is_waited_for() -> None:
    script = asked()
    script.recognition_takes = script.words_take = script.prosody_takes = 0.01
    assert script.run(13.0).silence == pytest.approx(script.policy.shortest_silence)


@pytest.mark.parametrize(
    ("prosody", "words", "option"),
    [
        (0.3, 0.4, "unsure_silence"),
        (None, 0.9, "unsure_silence"),
        (0.95, 0.1, "doubtful_silence"),
        (0.95, None, "doubtful_silence"),
        (None, None, "doubtful_silence"),
        (0.95, 0.0, "longest_silence"),
        (None, 0.0, "longest_silence"),
    ],
)
def test_a_judge_that_doubts_or_never_speaks_lets_the_caller_pause_longer(
    prosody: float | None, words: float | None, option: str
) -> None:
    script = asked()
    script.prosody, script.words = prosody, words
    assert script.run(15.0).silence == pytest.approx(getattr(script.policy, option))


def test_a_judge_that_is_late_ends_the_turn_when_it_speaks() -> None:
    script = asked()
    script.prosody_takes = 0.5
    assert script.run(14.0).silence == pytest.approx(0.6)


def test_the_words_of_a_turn_are_judged_once_however_they_are_punctuated() -> None:
    script = asked(partial_interval=0)
    script.run(12.15)
    (turn,) = script.all(act.OpenTurn)
    for text in ("what time", "What time?", "What time"):
        script.feed(ev.HypothesisReady(turn.turn_id, script.now, text, -0.1))
    assert [judge.text for judge in script.all(act.JudgeWords)] == ["what time"]
    script.feed(ev.WordsScored(turn.turn_id, "what time", 0.77))
    assert script.conversation.floor.open_turn.words == 0.77


def test_changed_words_are_judged_anew_and_an_old_score_does_not_count_for_them() -> None:
    script = asked(partial_interval=0)
    script.words = None
    script.run(12.15)
    (turn,) = script.all(act.OpenTurn)
    script.feed(ev.HypothesisReady(turn.turn_id, script.now, "what time", -0.1))
    script.feed(ev.HypothesisReady(turn.turn_id, script.now, "what time is it", -0.1))
    script.feed(ev.WordsScored(turn.turn_id, "what time", 0.77))
    assert script.conversation.floor.open_turn.words is None
    assert [judge.text for judge in script.all(act.JudgeWords)] == ["what time", "what time is it"]


def test_a_hesitating_caller_is_not_cut_off() -> None:
    script = greeted()
    script.words = lambda text: 0.9 if text.endswith("people.") else 0.01
    script.says("I would like to book a table for,", 10.5, 12.3)
    script.says("let me think, four people.", 13.2, 14.8)
    script.run(16.0)
    assert script.confirmed == ["I would like to book a table for, let me think, four people."]
    assert len(script.all(act.OpenTurn)) == 1


def test_a_pause_inside_a_turn_is_remembered_and_gone_on_from() -> None:
    script = greeted()
    script.words = lambda text: 0.9 if text.endswith("people.") else 0.01
    script.says("I would like to book a table for,", 10.5, 12.3)
    script.says("let me think, four people.", 13.2, 14.8)
    script.run(13.4)
    script.expect(State.HEARING)
    assert list(script.conversation.floor.pauses._pauses) == [pytest.approx(0.9)]


def test_a_caller_who_is_used_to_long_pauses_is_given_them_when_a_judge_doubts() -> None:
    script = greeted()
    script.prosody = 0.3
    script.words = lambda text: 0.4 if text.endswith("then.") else 0.01
    for start, text in ((10.5, "So I"), (12.5, "was going to"), (14.5, "the place"), (16.5, "and then.")):
        script.says(text, start, start + 0.9)
    script.run(22.0)
    assert script.confirmed == ["So I was going to the place and then."]
    assert script.silence == pytest.approx(1.1 + script.policy.pause_margin)


def test_a_turn_that_is_otherwise_over_waits_for_its_words() -> None:
    script = asked()
    script.recognition_takes = 1.9
    script.run(13.9)
    script.expect(State.WEIGHING)
    assert script.confirmed == []
    script.run(14.1)  # asked at 12.1
    assert script.confirmed == [QUESTION]


def test_words_that_never_come_are_replaced_by_what_was_understood_so_far() -> None:
    script = asked()
    script.run(11.5)  # one partial hypothesis
    script.recognition_takes = None
    script.run(16.0)
    assert script.confirmed == ["What time"]
    assert script.times(act.ConfirmTurn) == [pytest.approx(12.1 + script.policy.recognition_timeout)]


def test_a_turn_of_which_nothing_was_ever_understood_is_asked_for_again() -> None:
    script = asked()
    script.recognition_takes = None
    script.run(16.0)
    assert script.confirmed == []
    assert script.discarded == ["not recognised"]
    assert script.phrases == [Phrase.NOT_UNDERSTOOD]


def test_a_caller_who_is_never_understood_hears_goodbye_instead_of_the_same_phrase_for_ever() -> None:
    script = greeted()
    script.hear = lambda begins, until: None
    for start in (10.5, 20.0, 30.0):
        script.says(QUESTION, start, start + 1.5)
    script.run(60.0)
    assert script.phrases == [Phrase.NOT_UNDERSTOOD, Phrase.NOT_UNDERSTOOD, Phrase.GOODBYE]
    assert script.ended == "caller not understood"


def test_the_recognition_time_out_never_ends_a_turn_before_its_silence_does() -> None:
    script = asked(recognition_timeout=0.3)
    script.words = None
    script.recognition_takes = 0.9
    script.run(13.05)
    script.expect(State.WEIGHING)
    script.run(13.5)
    assert script.silence == pytest.approx(script.policy.doubtful_silence)


def test_words_that_never_come_are_not_waited_for_once_both_times_are_over() -> None:
    script = asked(recognition_timeout=0.3)
    script.recognition_takes = None
    script.run(15.0)
    assert script.times(act.DiscardTurn) == [pytest.approx(ENDS + script.policy.doubtful_silence)]


def test_a_sound_known_to_have_no_words_is_not_called_unrecognised() -> None:
    script = greeted(recognition_timeout=0.3)
    script.says("", 10.5, 11.1)
    script.run(13.0)
    assert script.discarded == ["no words"]
    assert script.phrases == []


def test_the_words_so_far_are_answered_even_if_an_answer_to_fewer_is_under_way() -> None:
    script = greeted()
    script.words = lambda text: 0.9 if text == "What" else 0.1
    answers = iter(["What", "What time"])
    script.hear = lambda begins, until: next(answers, None)
    script.says(QUESTION, 10.5, 12.0)
    script.run(16.0)
    assert script.confirmed == ["What time"]
    assert [answer.text for answer in script.all(act.PrepareAnswer)] == ["What", "What time"]
    assert len(script.all(act.DropAnswer)) == 1


def test_the_recognition_time_out_does_not_cut_a_long_silence_short_once_the_words_are_known() -> None:
    script = asked(recognition_timeout=0.5, longest_silence=4.0)
    script.words = 0.0
    assert script.run(20.0).silence == pytest.approx(4.0)


def test_the_recognition_time_out_waits_for_a_hint_to_be_settled() -> None:
    script = asked()
    script.recognition_takes = None
    script.hear = lambda begins, until: None
    script.line((15.07, ev.SpeechHinted(15.0)), (15.14, ev.SilenceHinted(15.02)))
    script.run(15.12)  # the time-out is at 15.1
    script.expect(State.WEIGHING)
    script.run(15.3)
    assert script.discarded == ["not recognised"]


def test_a_failed_recognition_is_asked_for_again_until_it_works() -> None:
    script = asked(partial_interval=0)
    answers = iter([None, None, QUESTION])
    script.hear = lambda begins, until: next(answers)
    script.run(14.0)
    assert script.confirmed == [QUESTION]
    assert [request.urgent for request in script.all(act.Recognise)] == [True, True, True]


def test_a_failed_partial_hypothesis_is_asked_for_again_later() -> None:
    script = greeted()
    script.hear = lambda begins, until: None
    script.says(QUESTION, 10.5, 14.0)
    script.run(12.5)
    script.expect(State.HEARING)
    assert [request.urgent for request in script.all(act.Recognise)] == [False] * 3


def test_a_failure_that_a_newer_request_has_overtaken_is_not_acted_upon() -> None:
    script = asked()
    script.recognition_takes = None
    script.run(12.15)
    partial, final = script.all(act.Recognise)[-2:]
    assert final.urgent
    script.feed(ev.HypothesisFailed(final.turn_id, partial.until))
    script.run(12.5)
    assert script.all(act.Recognise)[-1] == final


def test_partial_hypotheses_can_be_turned_off() -> None:
    script = asked(partial_interval=0).run(12.05)
    assert script.all(act.Recognise) == []


@pytest.mark.parametrize("ends", [10.93, 10.98])
def test_no_partial_hypothesis_is_asked_for_in_a_pause_that_is_recognised_anyway(ends: float) -> None:
    script = greeted()
    script.says("What", 10.5, ends)  # the first partial hypothesis is due at 11.07, the urgent one just before or after
    script.run(11.2)
    assert [request.urgent for request in script.all(act.Recognise)] == [True]


def test_an_older_hypothesis_does_not_replace_a_newer_one() -> None:
    script = asked()
    script.words = None
    script.run(12.3)
    (turn,) = script.all(act.OpenTurn)
    script.feed(ev.HypothesisReady(turn.turn_id, 11.0, "What time", -0.1))
    assert script.conversation.floor.open_turn.text == QUESTION


def test_a_false_alarm_inside_a_provisional_end_only_holds_the_decision() -> None:
    script = asked()
    script.words = None
    script.schedule(13.15, ev.SpeechHinted(13.1))  # just before the doubtful silence is over
    script.schedule(13.22, ev.SilenceHinted(13.12))
    script.run(13.21)
    script.expect(State.WEIGHING)
    assert script.confirmed == []
    script.run(13.23)
    assert script.times(act.ConfirmTurn) == [pytest.approx(13.22)]
    assert script.all(act.ConfirmTurn)[0].ended_at == ENDS


def test_a_voice_that_lasts_takes_the_provisional_end_back_before_it_is_certain() -> None:
    script = asked()
    script.words = None
    script.run(12.5)
    script.feed(ev.SpeechHinted(12.45))
    script.run(12.5 + script.policy.resume_after + 0.01)
    script.expect(State.HEARING)


def test_a_voice_that_goes_on_before_silence_is_certain_is_the_same_turn() -> None:
    script = greeted()
    script.line(
        (10.55, ev.SpeechHinted(10.5)),
        (10.62, ev.SpeechStarted(10.5)),
        (11.47, ev.SilenceHinted(11.4)),
        (11.49, ev.SpeechHinted(11.46)),
        (12.07, ev.SilenceHinted(12.0)),
        (12.16, ev.SpeechStopped(12.0)),
    )
    script.run(11.8)
    script.expect(State.HEARING)
    assert script.all(act.JudgeProsody) == []
    script.run(12.12)
    script.expect(State.WEIGHING)
    assert len(script.all(act.OpenTurn)) == 1


@pytest.mark.parametrize("stopped", [False, True])
def test_a_last_syllable_after_a_provisional_end_is_recognised_with_the_rest(stopped: bool) -> None:
    script = greeted(partial_interval=0)
    heard = iter(["What time do you close to", QUESTION])
    script.hear = lambda begins, until: next(heard)
    script.line(
        (10.55, ev.SpeechHinted(10.5)),
        (10.62, ev.SpeechStarted(10.5)),
        (12.07, ev.SilenceHinted(12.0)),
    )
    if stopped:  # the detector was not sure and moves the end without taking the silence back
        script.schedule(12.26, ev.SpeechStopped(12.15))
    else:  # a burst shorter than what takes the end back
        script.schedule(12.12, ev.SpeechHinted(12.11))
        script.schedule(12.2, ev.SilenceHinted(12.17))
        script.schedule(12.3, ev.SpeechStopped(12.17))
    script.run(13.5)
    assert script.confirmed == [QUESTION]
    assert script.all(act.ConfirmTurn)[0].ended_at == pytest.approx(12.15 if stopped else 12.17)
    assert script.silence < 0.5
    # As at any pause the words are asked for 0.1 s after the last sound, or as soon as the silence is certain.
    assert script.times(act.Recognise)[-1] == pytest.approx(12.26 if stopped else 12.27)


def test_the_judgement_of_an_earlier_pause_does_not_count_for_a_later_one() -> None:
    script = greeted()
    script.words = 0.4
    script.prosody_takes = 0.35  # the first judgement comes after the caller has gone on and paused again
    script.says("I would like", 10.5, 11.5)
    script.line(
        (11.75, ev.SpeechHinted(11.7)),
        (11.79, ev.SpeechStarted(11.7)),
        (11.83, ev.SilenceHinted(11.8)),
        (11.92, ev.SpeechStopped(11.8)),
    )
    script.run(11.98)
    script.expect(State.WEIGHING)
    assert [judge.revision for judge in script.all(act.JudgeProsody)] == [1, 2]
    assert script.times(act.JudgeProsody) == [pytest.approx(11.6), pytest.approx(11.9)]
    assert script.conversation.floor.open_turn.prosody is None  # the first came at 11.95
    script.run(13.0)
    assert script.times(act.ConfirmTurn) == [pytest.approx(12.25)]


def test_what_the_ear_said_about_an_earlier_pause_is_forgotten_at_the_next() -> None:
    script = greeted()
    script.words = lambda text: 0.01 if text == "I would like" else 0.4
    script.says("I would like", 10.5, 11.5)
    script.says("tea", 12.0, 12.5)
    script.run(12.3)
    script.prosody = None
    script.run(15.0)
    assert script.silence == pytest.approx(script.policy.unsure_silence)


def test_a_turn_whose_words_are_all_known_at_its_pause_is_not_recognised_again() -> None:
    script = greeted()
    script.prosody, script.words = None, 0.2
    script.recognition_takes = script.words_take = 0.01
    script.hear = lambda begins, until: QUESTION
    script.says(QUESTION, 10.5, 11.05)  # asked at 11.07, while silence is not hinted at before 11.12
    script.run(13.0)
    assert len(script.all(act.Recognise)) == 1
    assert script.times(act.PrepareAnswer) == [pytest.approx(11.15)]
    assert script.silence == pytest.approx(script.policy.doubtful_silence)


def test_a_sound_known_to_have_no_words_at_its_pause_is_not_answered() -> None:
    script = greeted()
    script.recognition_takes = 0.01
    script.says("", 10.5, 11.05)
    script.run(13.0)
    assert len(script.all(act.Recognise)) == 1
    assert script.all(act.PrepareAnswer) == []
    assert script.discarded == ["no words"]


def test_silence_that_is_certain_at_once_is_a_provisional_end() -> None:
    script = asked(speculate_after=0.5)
    script.run(12.1)
    script.feed(ev.SpeechStopped(ENDS))
    script.expect(State.HEARING)  # the pause is due, but not yet
    script.conversation.floor.deadlines.clear()
    actions = script.feed(ev.SpeechStopped(ENDS))
    assert kinds(actions)[:2] == [act.JudgeProsody, act.Recognise]
    script.expect(State.WEIGHING)
