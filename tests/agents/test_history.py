"""What the model is told of a conversation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agents.history import INTERRUPTED, Exchange, History, beginning, estimate_tokens
from agents.llm.protocol import Message, ToolCall


def history(*exchanges: Exchange, limit: int = 10_000) -> History:
    made = History("Be brief.", token_limit=limit)
    for exchange in exchanges:
        made.add(exchange)
    return made


def told(messages: list[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


def test_the_turns_come_in_order_after_the_system_prompt() -> None:
    made = history(Exchange(1, "Hi", answer="Hello!"), Exchange(2, "When?", answer="At ten."))
    assert told(made.messages(user="Where?")) == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello!"),
        ("user", "When?"),
        ("assistant", "At ten."),
        ("user", "Where?"),
    ]


def test_an_interrupted_answer_ends_where_the_caller_stopped_hearing() -> None:
    made = history(Exchange(1, "Hi", answer="We are open from", interrupted=True))
    assert told(made.messages())[-1] == ("assistant", f"We are open from {INTERRUPTED}")


def test_a_turn_whose_answer_was_never_heard_is_part_of_the_next() -> None:
    made = history(Exchange(1, "A table for", interrupted=True))
    assert told(made.messages(user="four people")) == [("system", "Be brief."), ("user", "A table for\nfour people")]


def test_a_greeting_stands_before_the_first_words() -> None:
    made = history(Exchange(0, "", answer="Good day!"))
    assert told(made.messages(user="Hi")) == [("system", "Be brief."), ("assistant", "Good day!"), ("user", "Hi")]


def test_facts_precede_the_newest_words_only() -> None:
    made = history(Exchange(1, "Hi", answer="Hello!"))
    messages = told(made.messages(user="When?", facts="We close at ten."))
    assert messages[:-1] == told(made.messages())
    assert messages[-1] == ("user", "We close at ten.\n\nWhen?")


def test_examples_come_before_the_conversation() -> None:
    examples = [Message("user", "Q"), Message("assistant", "A")]
    made = history(Exchange(1, "Hi", answer="Hello!"))
    assert told(made.messages(user="x", examples=examples))[1:4] == [("user", "Q"), ("assistant", "A"), ("user", "Hi")]


def test_the_turn_that_is_answered_anew_is_left_out() -> None:
    made = history(Exchange(1, "Hi", answer="Hello!"), Exchange(2, "When?", answer="At"))
    assert told(made.messages(user="When?", without=2))[-1] == ("user", "When?")
    assert len(made.messages(user="When?", without=2)) == 4


def test_a_turn_with_a_known_id_is_replaced() -> None:
    made = history(Exchange(1, "Hi", answer="Hello!"), Exchange(1, "Hi there", answer="Hello!"))
    assert len(made) == 1
    assert made.last_user_text() == "Hi there"


def with_tool(turn: int, size: int) -> Exchange:
    steps = [
        Message("assistant", "", (ToolCall(f"c{turn}", "look", "{}"),)),
        Message("tool", "x" * size, tool_call_id=f"c{turn}"),
    ]
    return Exchange(turn, f"question {turn}", steps, f"answer {turn}")


@given(st.lists(st.integers(0, 400), max_size=12), st.integers(60, 600))
def test_what_does_not_fit_goes_from_the_oldest_and_as_whole_turns(sizes: list[int], limit: int) -> None:
    made = history(*(with_tool(turn, size) for turn, size in enumerate(sizes)), limit=limit)
    messages = made.messages(user="now")
    assert messages[0].role == "system"
    assert messages[-1].content.endswith("now")
    calls = [call.id for message in messages for call in message.tool_calls]
    assert calls == [message.tool_call_id for message in messages if message.role == "tool"]
    kept = len(calls)
    assert calls == [f"c{turn}" for turn in range(len(sizes) - kept, len(sizes))]
    assert sum(estimate_tokens(message.content) + 4 for message in messages[1:-1]) <= limit


@given(st.lists(st.integers(0, 400), max_size=12), st.integers(60, 600))
def test_forgetting_changes_nothing_that_the_model_is_told(sizes: list[int], limit: int) -> None:
    made = history(*(with_tool(turn, size) for turn, size in enumerate(sizes)), limit=limit)
    before = made.messages(user="now")
    made.forget_unreachable()
    assert made.messages(user="now") == before
    assert len(made) >= min(1, len(sizes))


def test_the_estimate_is_above_what_tokenizers_take() -> None:
    english = "We are open every day from eleven in the morning until ten at night."
    assert 15 <= estimate_tokens(english) <= 30  # 15 with OpenAI's tokenizers
    assert estimate_tokens("营业时间是每天十一点") >= 10
    assert estimate_tokens("") <= 1


@given(st.text(alphabet="ab .日é\U0001f600", max_size=400), st.integers(0, 80))
def test_the_beginning_of_a_text_fits_and_ends_with_a_word_where_it_can(text: str, tokens: int) -> None:
    begun = beginning(text, tokens)
    assert text.startswith(begun)
    assert begun == text or estimate_tokens(begun) <= max(tokens, 1)
    if begun != text and " " in begun.lstrip():
        assert text[len(begun)].isspace()
