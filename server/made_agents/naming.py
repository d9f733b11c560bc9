"""A name and a greeting for an agent of which only its prompt is known."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from agents.llm.protocol import ChatError, ChatModel, Message, TextDelta

DEFAULT_PROMPT: Final = (
    "You are Mira, a friendly and attentive assistant. You answer questions briefly and honestly, "
    "and say so when you do not know something."
)
NAME_LENGTH: Final = 60
GREETING_LENGTH: Final = 300

_NOT_NAMES = frozenset({"a", "an", "here", "my", "no", "not", "now", "our", "that", "the", "this", "your"})
_INTRODUCED = re.compile(
    r"\b(?:[Yy]ou are|[Yy]ou're|[Yy]our name is|[Nn]amed|[Cc]alled|I am|I'm|[Mm]y name is|[Aa]ct as|[Pp]lay)\s+"
    r"(?:(?:Dr|Mr|Mrs|Ms|Prof|Captain|Chef|Coach|Doctor|Professor)\.?\s+)?"
    r"([A-Z][^\W\d_]*(?:[-'’][^\W\d_]+)*(?:\s+[A-Z][^\W\d_]*(?:[-'’][^\W\d_]+)*)?)(?=\s*(?:[,.;:!?\n—–(]|$|\s(?:the|a|an|and|from|of|who|at|is)\b))"
)
_ROLE = re.compile(
    r"\b(?:[Yy]ou are|[Yy]ou're|[Aa]ct as|I want|[Cc]reate|[Mm]ake)\s+(?:an?|the|my|our)\s+([^.,;:!?\n]{2,80})"
)
_ROLE_ENDS = re.compile(
    r"\s+(?:who|that|which|whose|with|for|from|of|in|on|at|to|and|specialising|specializing|specialised|specialized|"
    r"working|helping|named|called|acting|here|designed|trained)\b.*$",
    re.IGNORECASE,
)
_ASKED = (
    "You name a voice agent. Below is the prompt that it is given. Answer with a JSON object with two texts and "
    'nothing else: "name", what the agent is called (a first name, or the role in two or three words; at most 40 '
    'characters), and "greeting", the one sentence with which it answers a call, in the language of the prompt.'
)
_JSON = re.compile(r"\{.*\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Persona:
    """What an agent is called, and what it says first."""

    name: str
    greeting: str


Namer = Callable[[str], Awaitable[Persona]]
"""A persona for a prompt; never fails."""


def persona_of(prompt: str) -> Persona:
    """A name and a greeting that suit the prompt: who it says the agent is, else its role."""
    text = " ".join(prompt.split())[:2000]
    for match in _INTRODUCED.finditer(text):
        name = _shown(match[1])
        if name.split()[0].lower() not in _NOT_NAMES and not name.isupper():
            return Persona(name, f"Hello, I am {name}. How can I help you?")
    if (described := _ROLE.search(text)) is not None:
        role = _role(described[1])
        if role:
            article = "an" if role[0].lower() in "aeiou" else "a"
            return Persona(_shown(role[0].upper() + role[1:]), f"Hello! I am {article} {role}. How can I help you?")
    return Persona("Mira", "Hello, I am Mira. How can I help you?")


async def asked_persona(prompt: str, model: ChatModel) -> Persona:
    """The same, by a language model; what it leaves out or gets wrong is as `persona_of` has it."""
    derived = persona_of(prompt)
    try:
        messages = [Message("system", _ASKED), Message("user", prompt[:4000])]
        parts: list[str] = []
        async for delta in model.stream(messages):
            if isinstance(delta, TextDelta):
                parts.append(delta.text)
    except ChatError:
        return derived
    return parsed("".join(parts), derived)


def parsed(answer: str, derived: Persona) -> Persona:
    """The persona of a model's answer, `derived` where there is none."""
    found = _JSON.search(answer)
    try:
        given = json.loads(found[0]) if found else {}
    except (ValueError, RecursionError):
        return derived
    if not isinstance(given, dict):
        return derived
    name, greeting = given.get("name"), given.get("greeting")
    name = _shown(name) if isinstance(name, str) else ""
    greeting = _shown(greeting, GREETING_LENGTH) if isinstance(greeting, str) else ""
    if not name:
        return derived
    return Persona(name, greeting or f"Hello, I am {name}. How can I help you?")


def _role(words: str) -> str:
    role = _shown(_ROLE_ENDS.sub("", words.strip()))
    return role if any(each.isalpha() for each in role) and len(role.split()) <= 6 else ""


def _shown(text: str, most: int = NAME_LENGTH) -> str:
    """A text of a user's or a model's, on one line and without what cannot be shown; cut between words."""
    visible = "".join(" " if unicodedata.category(each)[0] in "ZC" else each for each in text)
    words = " ".join(visible.split())
    return words if len(words) <= most else words[: most + 1].rpartition(" ")[0] or words[:most]
