"""The person to whom a call shall go is told of it and asked: a key or a word takes the call, another one does not."""

from __future__ import annotations

import re
from typing import Final, Literal

from server.phone.book import CallOrder

ACCEPTING_KEY: Final = "1"
DECLINING_KEY: Final = "2"

CONNECTING: Final = "Thank you. I am connecting you now."
DECLINED: Final = "All right, I will tell them. Goodbye."
GONE: Final = "I am sorry, the caller has hung up meanwhile. Goodbye."
_LONGEST_ANSWER: Final = 6
"""Words: a longer answer is no plain yes or no, and the agent talks about it."""

_YES: Final = re.compile(
    r"\b(yes|yeah|yep|yup|sure|okay|ok|of course|certainly|absolutely|go ahead|put (him|her|them|it) (through|on)|"
    r"connect (us|him|her|them)|one|s[iì]|certo|va bene|ja|klar|gerne|oui|d'accord|bien s[uû]r|claro|vale|sim)\b",
    re.IGNORECASE,
)
_NO: Final = re.compile(
    r"\b(no|nope|not|don'?t|can'?t|cannot|won'?t|busy|later|two|nein|nicht|non|pas|nessuno|n[aã]o)\b", re.IGNORECASE
)
_QUESTION: Final = re.compile(
    r"\?|\b(who|what|why|how|where|when|which|chi|cosa|perch[eé]|wer|was|warum|qui|quoi|pourquoi|qu[eé]|qui[eé]n)\b",
    re.IGNORECASE,
)


def decision(text: str) -> Literal["accept", "decline"] | None:
    """What a short answer says; None for one that says neither, or both, or that asks."""
    if len(text.split()) > _LONGEST_ANSWER or _QUESTION.search(text):
        return None
    yes, no = _YES.search(text) is not None, _NO.search(text) is not None
    if yes is no:
        return None
    return "accept" if yes else "decline"


def first_words(order: CallOrder, name: str, summary: str) -> str:
    """What the person is told when they answer. `name`: as the agent's definition calls them."""
    hello = f"Hello, this is the assistant with a call for {name}." if name else "Hello, I have a call for you."
    about = summary.strip() or f"It is from {order.peer or 'somebody who does not show a number'}."
    return f"{hello} {about} Press 1 or say yes to take the call, or press 2 to decline."


def briefing_notes(order: CallOrder, name: str, summary: str, history: str) -> str:
    """For the model, which answers what the person asks before they decide."""
    lines = [
        f"This is a telephone call with {name or 'a colleague'}, to whom a call shall be transferred. You are not "
        f"talking with the caller now: {order.peer or 'the caller'} waits on another line and hears music.",
        "Tell in a sentence or two what the caller wants, answer questions about it, and ask whether to put them "
        "through. You cannot put them through yourself: that takes a yes, or key 1.",
    ]
    if summary.strip():
        lines.append(f"What it is about: {summary.strip()}")
    return "\n".join([*lines, history] if history else lines)
