"""What people may say of their agents, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.definition import AgentDefinition, AgentError, load_agent
from server.made_agents.definition import DefinitionRefused, checked, definition_of, first_words, renamed, shortened
from server.made_agents.records import AgentRecord
from server.owners import Owner

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DEMO = load_agent(Path("configs/agents/demo.yaml"))
GOOD: dict[str, Any] = {"name": "Ada", "system_prompt": "You are Ada."}


def record(**fields: Any) -> AgentRecord:
    given = {
        "id": "agent_1",
        "owner": Owner(visitor="v"),
        "name": "Ada",
        "status": "ready",
        "definition": {},
        "created": NOW,
        "updated": NOW,
    }
    return AgentRecord(**{**given, **fields})


def test_what_is_harmless_is_taken_as_it_is() -> None:
    fields = {
        **GOOD,
        "greeting": "Hello!",
        "tools": ["current_time"],
        "voice": {"name": "piper-joe", "speed": 1.2},
        "knowledge": {"texts": ["We open at nine."]},
    }
    definition = checked(fields, ["piper-joe"])
    assert (definition.greeting, definition.voice.speed, definition.tools) == ("Hello!", 1.2, ["current_time"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"knowledge": {"paths": ["/etc/passwd"]}}, "knowledge.paths"),
        ({"tools": [{"name": "steal", "description": "x", "url": "http://169.254.169.254/"}]}, "tools"),
        ({"tools": [{"transfer": {"me": "+390612345678"}}]}, "tools"),
        ({"llm": {"base_url": "http://127.0.0.1:1/v1"}}, "llm"),
        ({"llm": {"api_key": "sk"}}, "llm"),
        ({"voice": {"name": "/tmp/evil.onnx"}}, "voice.name"),
        ({"voice": {"speed": 9}}, "voice.speed"),
        ({"avatar": "/etc/passwd"}, "avatar"),
        ({"folder": "/etc"}, "folder"),
        ({"greeting": "x" * 2001}, "greeting"),
        ({"system_prompt": ""}, "system_prompt"),
        ({"turn_taking": 3}, "turn_taking"),
    ],
)
def test_what_a_stranger_must_not_do_is_refused_by_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        checked({**GOOD, **fields}, ["piper-joe"])
    assert refused.value.field.startswith(field)
    assert str(refused.value).startswith(field)


def test_an_agent_of_its_own_has_its_own_words_and_voice() -> None:
    definition = definition_of(
        record(definition={"system_prompt": "You are Ada.", "voice": {"speed": 1.5}}, voice="kokoro:af_heart"), {}
    )
    assert (definition.name, definition.voice.name, definition.voice.speed) == ("Ada", "kokoro:af_heart", 1.5)


def test_one_that_is_like_another_has_its_knowledge_and_its_own_name() -> None:
    definition = definition_of(record(based_on="demo", voice="piper-joe"), {"demo": DEMO})
    assert definition.greeting == "Trattoria Lucia, good day! This is Ada. How can I help you?"
    assert definition.system_prompt.startswith("You are Ada, the warm")
    assert "Lucia" not in definition.system_prompt.replace("Trattoria Lucia", "")
    assert [entry.questions for entry in definition.knowledge.questions] == [
        entry.questions for entry in DEMO.knowledge.questions
    ]
    answers = " ".join(entry.answer for entry in definition.knowledge.questions)
    assert "I am Ada, and this is Trattoria Lucia." in answers
    assert definition.voice.name == "piper-joe"
    assert definition.folder == DEMO.folder


@pytest.mark.parametrize(
    "given",
    [
        {"based_on": "demo"},
        {"based_on": "demo", "definition": {"greeting": "Hi!", "language": "it"}},
        {"definition": {"system_prompt": "You are Ada.", "greeting": "Hello!"}},
        {"definition": {"system_prompt": "You are Ada."}},
    ],
)
def test_the_first_words_are_those_of_the_whole_definition(given: dict[str, Any]) -> None:
    agent = record(**given)
    definition = definition_of(agent, {"demo": DEMO})
    assert first_words(agent, {"demo": DEMO}) == (definition.language, definition.greeting)


def test_a_name_that_is_part_of_a_word_stays() -> None:
    agent = AgentDefinition(name="Al", system_prompt="You are Al. Always be kind to Alice, says Al's friend.")
    assert renamed(agent, r"B\1").system_prompt == r"You are B\1. Always be kind to Alice, says B\1's friend."


def test_a_long_prompt_is_cut_at_a_sentence_for_the_small_model() -> None:
    first = "You are Ada, an art critic. You answer in one sentence."
    long = f"{first} {'You know everything about pictures of the sea and of ships ' * 20}."
    definition = definition_of(record(definition={"system_prompt": long}), {})
    assert definition.system_prompt == long
    assert definition.short_prompt.startswith(first)
    assert len(definition.short_prompt) <= 300
    assert definition_of(record(definition={"system_prompt": first}), {}).short_prompt == ""
    assert definition_of(record(definition={"system_prompt": long, "short_prompt": "Be Ada."}), {}).short_prompt == (
        "Be Ada."
    )


@given(st.text(min_size=301, max_size=1000))
def test_any_prompt_is_short_enough_for_the_small_model(prompt: str) -> None:
    short = shortened(prompt)
    whole = " ".join(prompt.split())
    assert len(short) <= 300
    assert bool(short) == (len(whole) > 300)
    assert whole.startswith(short)


def test_one_whose_model_is_gone_says_so() -> None:
    with pytest.raises(AgentError, match="demo, which it is based on"):
        definition_of(record(based_on="demo"), {})


def test_one_that_was_stored_by_an_older_version_says_what_is_wrong() -> None:
    with pytest.raises(AgentError, match="agent_1: colour"):
        definition_of(record(definition={"system_prompt": "x", "colour": "red"}), {})
