from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

import pytest

from agents.llm.protocol import ChatError, Delta, Message, TextDelta, ToolSpec, Usage
from server.renders.beats import BEATS, SENTENCES
from server.renders.script import ScriptFailed, ScriptWriter, languages_of, sound_sentence
from server.renders.speaking_time import estimate_seconds
from server.renders.topic import Topic
from server.renders.wording import fitted, sentences, spoken_words

SENTENCE = "This is a sentence of about fifty characters, no more. "


class Model:
    """A chat model with its answers in a row; an exception among them is raised."""

    name = "the-model"

    def __init__(self, *answers: str | ChatError, delay: float = 0.0) -> None:
        self.answers = list(answers)
        self.asked: list[Sequence[Message]] = []
        self.closed = 0
        self._delay = delay

    async def stream(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = ()
    ) -> AsyncGenerator[Delta, None]:
        self.asked.append(messages)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        try:
            if isinstance(answer, ChatError):
                raise answer
            for word in answer.split(" "):
                await asyncio.sleep(self._delay)
                yield TextDelta(word + " ")
            yield Usage(1, 1)
        finally:
            self.closed += 1

    async def close(self) -> None: ...


async def test_a_script_that_is_too_long_ends_with_a_sentence_within_the_time() -> None:
    script = await ScriptWriter(Model(SENTENCE * 40), small=False).write("coffee", language="en", seconds=20)
    assert 15 < script.seconds <= 20
    assert script.text.endswith("no more.")
    assert script.model == "the-model"


async def test_the_model_is_told_the_language_the_length_and_the_prompt() -> None:
    model = Model(SENTENCE * 40)
    await ScriptWriter(model, small=False).write("about our coffee", language="it", seconds=20)
    system, request = model.asked[0]
    assert "Write only the words that are spoken" in system.content
    assert "in Italian" in request.content
    assert "20 seconds" in request.content
    assert request.content.endswith("about our coffee")


async def test_a_short_script_is_asked_for_once_more_and_the_longer_one_is_taken() -> None:
    model = Model(SENTENCE * 3, SENTENCE * 5)
    script = await ScriptWriter(model, small=False).write("coffee", language="en", seconds=60)
    assert len(model.asked) == 2
    assert model.asked[1][-2].content == (SENTENCE * 3).strip()
    assert script.seconds == pytest.approx(estimate_seconds(SENTENCE * 5, "en"))


async def test_labels_directions_and_markdown_are_not_spoken() -> None:
    answer = (
        "Sure, here is your script:\n\n# Coffee\n\nThe Perfect Cup\n\n**Narrator:** Good morning! [smiles]\n"
        "*Coffee* is (soft music) more than a drink. ☕\n\nHost (warmly): Come and see us."
    )
    assert spoken_words(answer) == "Good morning! Coffee is more than a drink. Come and see us."


def test_quotes_around_the_whole_are_taken_off_and_others_stay() -> None:
    assert spoken_words('"Good morning, everyone."') == "Good morning, everyone."
    assert spoken_words('She said "yes" (to us).') == 'She said "yes" (to us).'


def test_a_sentence_that_was_cut_at_its_clauses_is_one_sentence() -> None:
    text = "When the morning comes, and it always does, there is coffee. " + "Then, slowly, we begin. " * 3
    found = sentences(text)
    assert found[0] == "When the morning comes, and it always does, there is coffee."
    assert found[1:] == ["Then, slowly, we begin."] * 3


def test_an_end_that_was_cut_off_is_left_out() -> None:
    assert fitted(["One thing is done.", "Another is only be"], "en", 60) == ["One thing is done."]


@pytest.mark.parametrize("seconds", [2, 5, 15, 30, 60, 120])
@pytest.mark.parametrize("language", sorted(SENTENCES))
async def test_the_small_model_that_fails_leaves_a_whole_script_that_fits(language: str, seconds: float) -> None:
    model = Model(ChatError("no", retryable=False))
    script = await ScriptWriter(model, small=True).write("coffee", language=language, seconds=seconds)
    assert 0 < script.seconds <= seconds
    assert "{" not in script.text
    if seconds >= 15:
        assert "coffee" in script.text
        assert script.text.endswith(SENTENCES[language][-1])


async def test_the_small_models_good_sentences_are_said_and_its_bad_ones_are_not() -> None:
    model = Model(
        "Do you love fresh coffee in the morning?",
        "As an AI I cannot taste coffee.",
        "Coffee was invented in 1773 by somebody.",
        "Everybody who likes mornings will enjoy good coffee.",
    )
    script = await ScriptWriter(model, small=True).write("Make a video about fresh coffee", language="en", seconds=40)
    assert len(model.asked) == len(BEATS)
    assert "Do you love fresh coffee in the morning?" in script.text
    assert "Everybody who likes mornings" in script.text
    assert "AI" not in script.text
    assert "1773" not in script.text


async def test_what_the_prompt_states_is_said() -> None:
    prompt = "Make a video about our bakery. We open at six. Everything is baked by hand."
    script = await ScriptWriter(Model(ChatError("no", retryable=False)), small=True).write(
        prompt, language="en", seconds=20
    )
    assert "We open at six. Everything is baked by hand." in script.text


@pytest.mark.parametrize(
    ("line", "sound"),
    [
        ("Our coffee is roasted every single morning.", True),
        ("Our coffee is roasted every", False),  # cut off
        ("Our coffee costs 5 dollars today.", False),  # a figure nobody gave
        ("Our coffee opened at 6 this morning.", True),  # one that was given
        ("Our coffee comes from Brazil, as Peter says.", False),  # names nobody gave
        ("Here is the script about our coffee.", False),
        ("The weather is nice in the summer.", False),  # not about it
        ("Coffee!", False),
    ],
)
def test_a_small_models_sentence_is_checked(line: str, sound: bool) -> None:
    assert sound_sentence(line, Topic("our coffee", ("We open at 6.",)), []) is sound


def test_a_sentence_that_says_the_same_again_is_refused() -> None:
    topic = Topic("our coffee")
    assert not sound_sentence("Our coffee is roasted fresh today.", topic, ["Our coffee is roasted fresh every day."])


async def test_a_model_that_does_not_answer_is_a_failure_that_says_so_without_its_words() -> None:
    with pytest.raises(ScriptFailed, match=r"^the language model did not answer$"):
        await ScriptWriter(Model(ChatError("key sk-123 refused", retryable=False)), small=False).write(
            "coffee", language="en", seconds=20
        )


async def test_a_model_that_is_too_slow_is_stopped() -> None:
    model = Model(SENTENCE * 100, delay=0.01)
    began = time.monotonic()
    with pytest.raises(ScriptFailed, match="took longer than 0 s"):
        await ScriptWriter(model, small=False, limit=0.05).write("coffee", language="en", seconds=60)
    assert time.monotonic() - began < 5
    assert model.closed == 1


async def test_a_model_that_never_stops_is_cut_off() -> None:
    model = Model("word " * 10_000)
    with pytest.raises(ScriptFailed, match="wrote no script that fits"):
        await ScriptWriter(model, small=False).write("coffee", language="en", seconds=20)
    assert model.closed == 2


async def test_cancelling_ends_the_request() -> None:
    model = Model(SENTENCE * 100, delay=0.01)
    task = asyncio.create_task(ScriptWriter(model, small=False).write("coffee", language="en", seconds=60))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.closed == 1


def test_a_capable_model_writes_any_language_and_the_small_one_a_few() -> None:
    assert languages_of(small=False) is None
    assert languages_of(small=True) == ("en", "es", "fr", "it", "pt")
