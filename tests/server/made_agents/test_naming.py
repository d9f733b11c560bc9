"""Names and greetings for agents of which only the prompt is known."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.protocol import ChatError, Message, TextDelta
from server.made_agents.naming import (
    DEFAULT_PROMPT,
    GREETING_LENGTH,
    NAME_LENGTH,
    Persona,
    asked_persona,
    parsed,
    persona_of,
)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("You are Lucia, the host of a restaurant.", "Lucia"),
        ("You are Anna-Maria O'Neill, a doctor.", "Anna-Maria O'Neill"),
        ("You are Dr. Watson. You help Holmes.", "Watson"),
        ("Your name is Jean Luc and you are a captain.", "Jean Luc"),
        ("An art critic named Ada who analyses artworks", "Ada"),
        ("You are a friendly AI assistant", "Friendly AI assistant"),
        (
            "You are a professional video content creator who helps with social media content.",
            "Professional video content creator",
        ),
        ("You are an art critic who analyzes visual artworks.", "Art critic"),
        ("You are a friendly AI assistant that helps with creative writing.", "Friendly AI assistant"),
        ("You are The Best, really", "Mira"),
        ("Sprich bitte Deutsch.", "Mira"),
        ("", "Mira"),
        (DEFAULT_PROMPT, "Mira"),
    ],
)
def test_the_name_is_who_the_prompt_says_it_is_else_what(prompt: str, name: str) -> None:
    assert persona_of(prompt).name == name


def test_the_greeting_says_who_speaks() -> None:
    assert persona_of("You are Lucia, a host").greeting == "Hello, I am Lucia. How can I help you?"
    assert persona_of("You are an art critic.").greeting == "Hello! I am an art critic. How can I help you?"


def fit(persona: Persona) -> bool:
    shown = persona.name + persona.greeting
    return (
        0 < len(persona.name) <= NAME_LENGTH
        and 0 < len(persona.greeting) <= GREETING_LENGTH
        and not any(unicodedata.category(each)[0] == "C" for each in shown)
    )


@given(
    st.text(max_size=200).map(lambda text: "You are a " + text)
    | st.text(max_size=200)
    | st.text().map("You are {}".format)
)
def test_any_prompt_gives_a_name_and_a_greeting(prompt: str) -> None:
    assert fit(persona_of(prompt))


@given(st.text(max_size=300) | st.text(max_size=300).map(lambda text: '{"name": "' + text + '", "greeting": 1}'))
def test_any_answer_of_a_model_gives_a_name_and_a_greeting(answer: str) -> None:
    assert fit(parsed(answer, persona_of("")))


class Model:
    """Implements `agents.llm.protocol.ChatModel`: says one thing, or fails."""

    name = "fake"

    def __init__(self, answer: str | None) -> None:
        self.answer = answer
        self.asked: Sequence[Message] = ()

    async def stream(self, messages: Sequence[Message], **_: Any) -> AsyncGenerator[TextDelta]:
        self.asked = messages
        if self.answer is None:
            raise ChatError("no answer", retryable=True)
        yield TextDelta(self.answer[:10])
        yield TextDelta(self.answer[10:])

    async def warm_up(self, messages: Sequence[Message] = ()) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""


async def test_a_model_is_asked_and_its_answer_taken() -> None:
    model = Model('```json\n{"name": "Ada", "greeting": "Guten Tag, hier ist Ada."}\n```')
    assert await asked_persona("Du bist eine Kunstkritikerin.", model) == Persona("Ada", "Guten Tag, hier ist Ada.")
    assert model.asked[-1].content == "Du bist eine Kunstkritikerin."


@pytest.mark.parametrize("answer", [None, "", "Ada", '{"name": 1}', '{"name": "\\u202e"}', "[" * 5000])
async def test_where_the_model_fails_the_prompt_decides(answer: str | None) -> None:
    assert (await asked_persona("You are Lucia, a host.", Model(answer))).name == "Lucia"
