"""The caller's turn: hearing it, weighing its pauses, answering ahead of its end, confirming it."""

from __future__ import annotations

from agents.conversation import actions as act
from agents.conversation import answering, barge_in, waiting
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.endpointing import required_silence
from agents.conversation.model import TURN_DEADLINES, CallerTurn, Deadline, Floor, Sound, State
from agents.conversation.overlap import normalise_words


def on_speech_hint(floor: Floor, event: ev.SpeechHinted, now: float) -> None:
    """Voice, perhaps. Over the agent it is worth a pause at once; elsewhere it only holds decisions."""
    floor.sound = Sound.HINTED
    floor.hinted_at = event.at
    if floor.deaf:
        return
    if floor.state in (State.SPEAKING, State.THINKING):
        barge_in.begin_overlap(floor, event.at)
    elif floor.state is State.HEARING:
        floor.deadlines.cancel(Deadline.SPECULATE)
        floor.sound = Sound.VOICED
    elif floor.state is State.WEIGHING:
        floor.deadlines.set(Deadline.RESUMED, now + floor.policy.resume_after)
    elif floor.state is State.OVERLAP:
        floor.deadlines.cancel(Deadline.SPECULATE)


def on_speech(floor: Floor, event: ev.SpeechStarted, now: float) -> None:
    """The caller speaks."""
    floor.sound = Sound.VOICED
    if floor.deaf:
        return
    if floor.state in (State.SPEAKING, State.THINKING):
        barge_in.begin_overlap(floor, event.at)
    if floor.state is State.LISTENING:
        open_turn(floor, event.at)
        hear(floor, now)
    elif floor.state is State.WEIGHING:
        go_on(floor, now)
    elif floor.state is State.OVERLAP:
        barge_in.confirm_overlap(floor, event.at, now)


def on_silence_hint(floor: Floor, event: ev.SilenceHinted, now: float) -> None:
    """The caller may have paused."""
    false_alarm = floor.sound is Sound.HINTED and event.at - floor.hinted_at < floor.policy.resume_after
    floor.sound = Sound.QUIET
    if floor.turn is not None and not false_alarm:
        floor.turn.voiced_until = max(floor.turn.voiced_until, event.at)
    if floor.deaf:
        return
    if floor.state is State.HEARING:
        floor.deadlines.set(Deadline.SPECULATE, max(now, event.at + floor.policy.speculate_after))
    elif floor.state is State.WEIGHING:
        if floor.deadlines.get(Deadline.RESUMED) is not None:
            floor.deadlines.cancel(Deadline.RESUMED)
            weigh(floor, now)
    elif floor.state is State.OVERLAP:
        if barge_in.overlap_confirmed(floor):
            floor.deadlines.set(Deadline.SPECULATE, max(now, event.at + floor.policy.speculate_after))
        else:
            barge_in.resume_agent(floor, "noise", now)


def on_silence(floor: Floor, event: ev.SpeechStopped, now: float) -> None:
    """The caller is silent for certain."""
    floor.sound = Sound.QUIET
    if floor.deaf:
        floor.deaf = False
        return
    if floor.turn is None:
        return
    floor.turn.voiced_until = max(floor.turn.voiced_until, event.at)
    if floor.state is State.HEARING and floor.deadlines.get(Deadline.SPECULATE) is None:
        pause(floor, now)
    elif floor.state is State.OVERLAP and not barge_in.overlap_confirmed(floor):
        barge_in.resume_agent(floor, "noise", now)


def open_turn(floor: Floor, at: float) -> CallerTurn:
    """The caller may have begun a turn."""
    turn = CallerTurn(floor.next_id(), at, at)
    floor.turn = turn
    floor.do(act.OpenTurn(turn.id, at))
    floor.deadlines.cancel(Deadline.IDLE)
    return turn


def hear(floor: Floor, now: float) -> None:
    """The caller has the floor."""
    turn = floor.open_turn
    floor.state = State.HEARING
    floor.deadlines.cancel(Deadline.ENDPOINT, Deadline.RECOGNITION, Deadline.RESUMED, Deadline.SPECULATE)
    floor.deadlines.set(Deadline.LONGEST_TURN, turn.started_at + floor.policy.longest_turn * 4 / 3)
    if floor.policy.partial_interval > 0:
        floor.deadlines.set(Deadline.PARTIAL, now + floor.policy.partial_interval)
    if not turn.text:
        floor.deadlines.set(Deadline.WORDLESS, turn.started_at + floor.policy.wordless_after)


def on_partial_due(floor: Floor, now: float) -> None:
    """Ask for words in between."""
    if floor.turn is not None and floor.turn.requested < now:
        recognise(floor, now, urgent=floor.state is not State.HEARING)


def recognise(floor: Floor, now: float, *, urgent: bool) -> None:
    """Ask for the words up to now."""
    turn = floor.open_turn
    turn.requested = now
    floor.do(act.Recognise(turn.id, now, urgent))


def on_paused(floor: Floor, now: float) -> None:
    """The silence has lasted long enough to ask what was said."""
    if floor.state is State.OVERLAP:
        turn = floor.open_turn
        floor.deadlines.set(Deadline.OVERLAP, now + floor.policy.overlap_timeout)
        if turn.recognised:
            barge_in.settle_overlap(floor, now)
        elif turn.requested < turn.voiced_until:
            recognise(floor, now, urgent=True)
    elif floor.state is State.HEARING:
        pause(floor, now)


def pause(floor: Floor, now: float) -> None:
    """A provisional end of the turn: ask the recogniser and both judges."""
    turn = floor.open_turn
    floor.state = State.WEIGHING
    turn.revision += 1
    turn.prosody = None
    floor.deadlines.cancel(Deadline.PARTIAL)
    floor.do(act.JudgeProsody(turn.id, turn.revision))
    floor.deadlines.set(Deadline.RECOGNITION, now + floor.policy.recognition_timeout)
    if turn.requested < turn.voiced_until:
        recognise(floor, now, urgent=True)
    elif turn.recognised and turn.text:
        judge_words(floor, turn)
        speculate(floor, turn)
    weigh(floor, now)


def on_resumed(floor: Floor, now: float) -> None:
    """The voice lasted: the provisional end was none."""
    if floor.state is State.WEIGHING:
        go_on(floor, now)


def go_on(floor: Floor, now: float) -> None:
    """The turn was not over: remember how long this caller paused."""
    floor.pauses.add(now - floor.policy.resume_after - floor.open_turn.voiced_until)
    floor.sound = Sound.VOICED
    hear(floor, now)


def on_hypothesis(floor: Floor, event: ev.HypothesisReady, now: float) -> None:
    """Words: they may change what is being answered, or end the wait for them."""
    turn = floor.open_turn
    if event.covers < turn.covered:
        return
    turn.covered = event.covers
    changed = normalise_words(event.text) != normalise_words(turn.text)
    turn.text, turn.log_probability = event.text, event.log_probability
    if changed:
        turn.words = None
    if turn.text:
        floor.deadlines.cancel(Deadline.WORDLESS)
    if floor.state is State.OVERLAP:
        barge_in.settle_overlap(floor, now)
        return
    if floor.state is State.HEARING:
        next_partial(floor, now)
    if turn.text:
        judge_words(floor, turn)
        if floor.state is State.WEIGHING and turn.recognised:
            speculate(floor, turn)
    if floor.state is State.WEIGHING:
        weigh(floor, now)


def on_no_hypothesis(floor: Floor, event: ev.HypothesisFailed, now: float) -> None:
    """No words this time: ask again."""
    turn = floor.open_turn
    if floor.state is State.HEARING:
        next_partial(floor, now)
    elif event.covers >= turn.voiced_until and turn.requested <= event.covers:
        # Without words there is no turn to answer; ask again until the recognition deadline.
        if floor.state is State.WEIGHING:
            floor.deadlines.set(Deadline.PARTIAL, now + floor.policy.resume_after)
        elif floor.state is State.OVERLAP and floor.sound is Sound.QUIET:
            barge_in.on_overlap_timeout(floor, now)


def next_partial(floor: Floor, now: float) -> None:
    """Ask for words again in a while, if the policy wants partial hypotheses."""
    if floor.policy.partial_interval > 0:
        floor.deadlines.set(Deadline.PARTIAL, now + floor.policy.partial_interval)


def judge_words(floor: Floor, turn: CallerTurn) -> None:
    """Ask once whether these words can be a whole turn."""
    if turn.words is None and turn.words_asked != turn.text:
        turn.words_asked = turn.text
        floor.do(act.JudgeWords(turn.id, turn.text))


def on_prosody(floor: Floor, event: ev.ProsodyScored, now: float) -> None:
    """The ear has judged."""
    floor.open_turn.prosody = event.probability
    if floor.state is State.WEIGHING:
        weigh(floor, now)


def on_words(floor: Floor, event: ev.WordsScored, now: float) -> None:
    """The words are judged; a caller who still speaks may be answered ahead of the end."""
    turn = floor.open_turn
    turn.words = event.probability
    if floor.state is State.HEARING and turn.words >= floor.policy.words_sure:
        speculate(floor, turn)
    elif floor.state is State.WEIGHING:
        weigh(floor, now)


def speculate(floor: Floor, turn: CallerTurn) -> None:
    """Have an answer to these words under way, unless it already is."""
    if answers(floor, turn.text):
        return
    answering.drop_answer(floor)
    if turn.speculations < floor.policy.most_speculations:
        turn.speculations += 1
        answering.prepare(floor, turn)


def answers(floor: Floor, text: str) -> bool:
    """Whether the answer under way is an answer to these words."""
    answer = floor.answer
    return (
        answer is not None
        and answer.phrase is None
        and answer.failed is None
        and not answer.playing
        and normalise_words(answer.text) == normalise_words(text)
    )


def weigh(floor: Floor, now: float) -> None:
    """Decide whether the turn is over, or when to look again."""
    turn = floor.open_turn
    need = required_silence(floor.policy, turn.prosody, turn.words, floor.pauses)
    if turn.voiced_until - turn.started_at > floor.policy.longest_turn:
        need = min(need, floor.policy.shortest_silence)
    if turn.recognised and not turn.text:
        need = floor.policy.unsure_silence
    if turn.forced:
        need = 0.0
    elif floor.sound is not Sound.QUIET:
        return
    due = turn.voiced_until + need
    if now < due:
        floor.deadlines.set(Deadline.ENDPOINT, due)
    elif turn.recognised:
        finish_turn(floor, now)


def on_endpoint(floor: Floor, now: float) -> None:
    """The silence is long enough by what was known when it was measured."""
    if floor.state is State.WEIGHING:
        weigh(floor, now)


def on_recognition_timeout(floor: Floor, now: float) -> None:
    """The recogniser is not coming back: go with the words there are."""
    turn = floor.open_turn
    if floor.state is State.WEIGHING and (turn.forced or floor.sound is Sound.QUIET):
        turn.covered = turn.voiced_until
        if turn.text:
            finish_turn(floor, now)
        else:
            abandon_turn(floor, "not recognised")
            answering.say(floor, Phrase.NOT_UNDERSTOOD, now)
    elif floor.state is State.WEIGHING:
        floor.deadlines.set(Deadline.RECOGNITION, now + floor.policy.resume_after)


def on_longest_turn(floor: Floor, now: float) -> None:
    """The caller does not stop: what was said so far is the turn, the rest of this breath is not heard."""
    if floor.state is State.HEARING:
        turn = floor.open_turn
        floor.deaf = floor.sound is not Sound.QUIET
        turn.forced, turn.voiced_until = True, now
        pause(floor, now)


def on_wordless(floor: Floor, now: float) -> None:
    """A voice without words is a radio or a fan: ignore it until it stops."""
    turn = floor.open_turn
    if floor.state is not State.HEARING or turn.text:
        return
    if now - turn.covered > floor.policy.wordless_after / 2:  # nobody has listened for words lately
        floor.deadlines.set(Deadline.WORDLESS, now + floor.policy.wordless_after / 2)
        return
    floor.deaf = True
    abandon_turn(floor, "noise")
    waiting.listen(floor, now)


def finish_turn(floor: Floor, now: float) -> None:
    """The turn is over: answer it, unless there were no words in it."""
    turn = floor.open_turn
    if not turn.text:
        voiced = turn.voiced_until - turn.started_at
        abandon_turn(floor, "no words")
        if voiced >= floor.policy.not_understood_after:
            answering.say(floor, Phrase.NOT_UNDERSTOOD, now)
        else:
            waiting.listen(floor, now)
        return
    confirm(floor, turn, now)


def confirm(floor: Floor, turn: CallerTurn, now: float) -> None:
    """These are the words of the turn; the floor is the agent's."""
    floor.do(act.ConfirmTurn(turn.id, turn.text, turn.voiced_until))
    if not answers(floor, turn.text):
        answering.drop_answer(floor)
        answering.prepare(floor, turn)
    floor.reprompts = 0
    floor.last_turn_ended = turn.voiced_until
    floor.turn = None
    floor.deadlines.cancel(*TURN_DEADLINES)
    answering.play(floor, now)


def abandon_turn(floor: Floor, reason: str) -> None:
    """What was heard is no turn."""
    if floor.turn is None:
        return
    if floor.answer is not None and floor.answer.turn_id == floor.turn.id:
        answering.drop_answer(floor)
    floor.do(act.DiscardTurn(floor.turn.id, reason, floor.turn.text))
    floor.turn = None
    floor.deadlines.cancel(*TURN_DEADLINES)
