"""The dialogue of a telephone call: waiting, opting out, and what the model is told of the call."""

from __future__ import annotations

from typing import Any

import pytest

from agents.definition import AgentDefinition
from agents.dialogue import EMBEDDED_NOTES, Done, Hold, OptOut, Say, dialogue_for
from agents.history import estimate_tokens
from agents.tools.builtin import DoNotCall, WaitForTheCaller
from tests.agents.llm.models import ScriptedModel
from tests.agents.test_dialogue import answer, call, dialogue, spoken


async def test_an_agent_that_waits_says_so_in_its_own_words_or_in_a_phrase() -> None:
    model = ScriptedModel(["Take your time.", call("wait")], [call("wait")], [call("wait")])
    talk = dialogue(model, WaitForTheCaller(), waits=["Sure.", "No hurry."], goodbyes=["Bye."])
    assert [piece for piece in await answer(talk) if not isinstance(piece, Done)] == [Say("Take your time."), Hold()]
    assert spoken(await answer(talk)) == "Sure."
    assert spoken(await answer(talk)) == "No hurry."


async def test_an_agent_that_is_asked_not_to_call_again_leaves_the_words_to_the_session() -> None:
    talk = dialogue(ScriptedModel([call("do_not_call")]), DoNotCall(), goodbyes=["Bye."])
    assert [piece for piece in await answer(talk) if not isinstance(piece, Done)] == [OptOut()]


def agent(**fields: Any) -> AgentDefinition:
    return AgentDefinition.model_validate({"name": "Ada", "system_prompt": "You are Ada.", **fields})


@pytest.mark.parametrize("embedded", [False, True])
async def test_notes_on_the_call_are_told_within_the_room_there_is(embedded: bool) -> None:
    model = ScriptedModel(["Yes."], ["Yes."])
    for notes in ("You have called Bob, who\n ordered shoes.", "You have called Bob. " + "His shoes are late. " * 2000):
        talk = dialogue_for(agent(), model, tools={}, knowledge=None, embedded=embedded, notes=notes)
        await answer(talk, "Who is this?")
    short, long = (messages[0].content for messages in model.requests)
    assert short.startswith("You are Ada.")
    assert short.endswith("About this call: You have called Bob, who ordered shoes.")
    told = long.partition("About this call: ")[2]
    assert told.startswith("You have called Bob. His shoes are late.")
    assert estimate_tokens(told) <= (EMBEDDED_NOTES if embedded else 1024)
    assert model.requests[1][-1].content == "Who is this?"


async def test_a_call_without_notes_is_told_nothing_of_it() -> None:
    model = ScriptedModel(["Yes."])
    talk = dialogue_for(agent(), model, tools={}, knowledge=None, embedded=True, notes="  ")
    await answer(talk, "Who is this?")
    assert model.requests[0][0].content == "You are Ada."
