"""Reasoning is kept out of what is spoken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.thinking import ThinkingFilter


def shown(*tokens: str) -> str:
    filtered = ThinkingFilter()
    return "".join(filtered.feed(token) for token in tokens)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>They ask for the time.</think>\n\nAt ten.", "At ten."),
        ("\n<think></think>At ten.", "At ten."),
        ("At ten.", "At ten."),
        ("<b>At ten.", "<b>At ten."),
        ("At <think>ten</think>.", "At <think>ten</think>."),
        ("<think>and never ends", ""),
    ],
)
def test_only_a_leading_block_is_dropped(text: str, answer: str) -> None:
    assert shown(text) == answer
    assert shown(*text) == answer


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "think", ">", " ", "a", "At ten."]), max_size=12))
def test_token_boundaries_make_no_difference(tokens: list[str]) -> None:
    assert shown(*tokens) == shown("".join(tokens)) == shown(*"".join(tokens))
