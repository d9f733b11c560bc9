"""The script of a video, written by the configured language model to fit a duration.

A capable model writes it whole, and once more if it came out far too short. The embedded one (135 million parameters)
wanders off after two sentences and makes up figures: it is asked for one sentence a beat, each is checked, and what
fails is replaced by a sentence that is true of anything. What the prompt itself states is always said.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from agents.llm.protocol import ChatError, ChatModel, Message, TextDelta
from agents.llm.streams import deltas_of
from server.renders import beats
from server.renders.speaking_time import characters_for, estimate_seconds
from server.renders.topic import Topic, topic_of
from server.renders.wording import fitted, sentences, spoken_words

log = structlog.get_logger(__name__)

LONGEST_ANSWER = 20_000
"""Characters after which a model that does not stop is stopped."""
_ENOUGH = 0.6  # of the time asked for; a shorter script is asked for once more
_USABLE = 0.25  # a shorter one is no script
_WORDS = (4, 28)  # of one sentence by the embedded model
_NAMES: dict[str, str] = {
    "en": "English", "es": "Spanish", "fr": "French", "hi": "Hindi", "it": "Italian", "pt": "Portuguese",
}  # fmt: skip
_NOT_A_PRESENTER = re.compile(
    r"\b(as an ai|language model|i cannot|i can't|i'm sorry|i am sorry|this sentence|the sentence|write|script|prompt|"
    r"viewers are|the viewers|the speaker|click here|subscribe|example)\b",
    re.IGNORECASE,
)
_FUNCTION_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "from", "has", "have", "in", "is", "it", "its",
    "of", "on", "or", "our", "so", "that", "the", "their", "they", "this", "to", "we", "what", "will", "with", "you",
    "your",
})  # fmt: skip


def languages_of(*, small: bool) -> tuple[str, ...] | None:
    """The languages in which scripts are written, ISO 639-1; None for a capable model, which writes any."""
    return beats.languages() if small else None


class ScriptFailed(Exception):
    """No script came about; the text is fit for who asked for it."""


@dataclass(frozen=True, slots=True)
class Script:
    """What is said, about how many seconds it takes, and the model that wrote it."""

    text: str
    seconds: float
    model: str


class ScriptWriter:
    """Writes scripts with `model`; `small` says that it is the embedded one. `limit`: seconds for one script."""

    def __init__(self, model: ChatModel, *, small: bool, limit: float = 60.0) -> None:
        self._model = model
        self._small = small
        self._limit = limit

    async def write(self, prompt: str, *, language: str, seconds: float) -> Script:
        """A script about `prompt` in `language` (ISO 639-1) that takes at most `seconds`. Raises `ScriptFailed`."""
        if self._small:
            parts = await self._assembled(prompt, language, seconds)
        else:
            try:
                async with asyncio.timeout(self._limit):
                    parts = await self._written(prompt, language, seconds)
            except TimeoutError as error:
                raise ScriptFailed(f"the language model took longer than {self._limit:.0f} s") from error
            except ChatError as error:
                log.warning("no script", model=self._model.name, reason=str(error))
                raise ScriptFailed("the language model did not answer") from error
        text = " ".join(parts)
        return Script(text, estimate_seconds(text, language), self._model.name)

    async def _written(self, prompt: str, language: str, seconds: float) -> list[str]:
        best = await self._draft(_request(prompt, language, seconds), language, seconds)
        if _length(best, language) < _ENOUGH * seconds:
            said = " ".join(best)
            again = [*_request(prompt, language, seconds), Message("assistant", said or "…"), _LONGER]
            longer = await self._draft(again, language, seconds)
            best = max(best, longer, key=lambda parts: _length(parts, language))
        if _length(best, language) < min(_USABLE * seconds, 3.0):
            raise ScriptFailed("the language model wrote no script that fits the duration")
        return best

    async def _draft(self, messages: Sequence[Message], language: str, seconds: float) -> list[str]:
        return fitted(sentences(spoken_words(await self._answer(messages))), language, seconds)

    async def _assembled(self, prompt: str, language: str, seconds: float) -> list[str]:
        topic = topic_of(prompt, language)
        opening, *between, closing = [line.format(topic=topic.name) for line in beats.SENTENCES[language]]
        written = await self._beats(topic) if language == "en" else []
        inner = [*topic.facts, *written, *between]
        ends = [opening, closing]
        if _length(ends, language) > seconds:
            return _shortest(topic, ends, language, seconds)
        chosen: list[str] = []
        for line in inner:
            if _length([*ends, *chosen, line], language) <= seconds:
                chosen.append(line)
        return [opening, *chosen, closing]

    async def _beats(self, topic: Topic) -> list[str]:
        """One checked sentence a beat, as far as the time goes."""
        kept: list[str] = []
        until = time.monotonic() + self._limit
        for beat in beats.BEATS:
            if (left := until - time.monotonic()) <= 0:
                break
            task = f"Write one short sentence that {beat.format(topic=topic.name)}."
            messages = [Message("system", "You write short, clear sentences for a video."), Message("user", task)]
            try:
                async with asyncio.timeout(left):
                    answer = spoken_words(await self._answer(messages))
            except (ChatError, TimeoutError) as error:
                log.info("a beat was not written", model=self._model.name, reason=str(error) or "took too long")
                continue
            kept += [line for line in sentences(answer)[:1] if sound_sentence(line, topic, kept)]
        return kept

    async def _answer(self, messages: Sequence[Message]) -> str:
        text = ""
        async with contextlib.aclosing(deltas_of(self._model, messages, ())) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    text += delta.text
                if len(text) > LONGEST_ANSWER:
                    break
        return text


def sound_sentence(line: str, topic: Topic, before: Sequence[str]) -> bool:
    """Whether a small model's sentence may be said.

    It is a whole sentence about the topic, names no figure and no name that the prompt does not have, does not talk
    about itself, and says something new.
    """
    known = " ".join([topic.name, *topic.facts])
    words = _content(line)
    checks: tuple[Callable[[], bool], ...] = (
        lambda: line.endswith((".", "!", "?")),
        lambda: _WORDS[0] <= len(line.split()) <= _WORDS[1],
        lambda: not _NOT_A_PRESENTER.search(line),
        lambda: set(re.findall(r"\d+", line)) <= set(re.findall(r"\d+", known)),
        lambda: all(name.lower() in known.lower() for name in _names(line)),
        lambda: bool(words & _content(known)),
        lambda: all(len(words & _content(other)) <= len(words) / 2 for other in before),
    )
    return all(check() for check in checks)


def _names(line: str) -> list[str]:
    """Words with a capital where none begins a sentence."""
    return [word for word in re.findall(r"(?<=[a-z,;:] )[A-Z][\w'-]+", line) if not word.startswith("I'")]


def _content(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if word not in _FUNCTION_WORDS}


def _shortest(topic: Topic, ends: Sequence[str], language: str, seconds: float) -> list[str]:
    """For a time too short for an opening and a closing: the first sentence of what there is that fits."""
    for line in [*topic.facts, *(part for end in ends for part in sentences(end)), f"{topic.name}."]:
        if _length([line], language) <= seconds:
            return [line]
    raise ScriptFailed("the duration is too short for any sentence about this prompt")


def _length(parts: Sequence[str], language: str) -> float:
    return estimate_seconds(" ".join(parts), language)


def _request(prompt: str, language: str, seconds: float) -> list[Message]:
    most = characters_for(seconds, language)
    words = round(most / 6)
    name = _NAMES.get(language, language)
    return [
        Message(
            "system",
            "You write what a presenter says in a short video, word for word. Write only the words that are spoken: "
            "no title, no headings, no labels, no stage directions, no lists, no emoji, no links. Do not invent "
            "figures, prices, names or quotations that you were not given.",
        ),
        Message(
            "user",
            f"Write the script in {name}. It must take {seconds:.0f} seconds to say: about {round(words * 0.9)} words "
            f"and never more than {words}. Begin with a sentence that catches attention and end with one that "
            f"closes.\n\nWhat it is to be about:\n{prompt}",
        ),
    ]


_LONGER = Message(
    "user", "That is too short. Write the whole script again, with more to say, at the length I asked for."
)
