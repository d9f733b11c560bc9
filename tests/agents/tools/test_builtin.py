"""The built-in tools."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.llm.protocol import ToolSpec
from agents.pieces import EndCall, Hold, OptOut, SendDigits, Transfer
from agents.tools.builtin import (
    SUMMARY_LENGTH,
    CurrentTime,
    DoNotCall,
    EndTheCall,
    SendTheDigits,
    TransferTheCall,
    WaitForTheCaller,
)
from agents.tools.tool import Outcome, ToolError, parse_arguments


async def test_the_time_is_told_where_the_agent_is() -> None:
    clock = CurrentTime("Europe/Rome", lambda: datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    outcome = await clock.run({})
    assert outcome.text == "Thursday, 02 July 2026, 00:30 (Europe/Rome; 2026-07-02T00:30+02:00)"
    assert clock.safe


async def test_ending_the_call_is_final_and_never_speculative() -> None:
    outcome = await EndTheCall().run({"reason": "goodbye"})
    assert outcome.action == EndCall("goodbye")
    assert outcome.final
    assert not EndTheCall.safe


async def test_a_call_goes_only_to_those_who_are_listed() -> None:
    transfer = TransferTheCall({"kitchen": "+39051123456"})
    assert (await transfer.run({"to": "kitchen"})).action == Transfer("+39051123456", "kitchen")
    assert transfer.spec.parameters["properties"]["to"]["enum"] == ["kitchen"]
    with pytest.raises(ToolError, match="nobody"):
        await transfer.run({"to": "+19005550000"})


@pytest.mark.parametrize(
    ("arguments", "warm", "summary"),
    [
        ({"to": "kitchen"}, False, ""),
        ({"to": "kitchen", "warm": True}, True, ""),
        ({"to": "owner"}, True, ""),
        ({"to": "owner", "warm": False, "summary": " Ada wants\n a table. "}, True, "Ada wants a table."),
        ({"to": "kitchen", "summary": "x" * 1000}, False, "x" * SUMMARY_LENGTH),
    ],
)
async def test_a_transfer_may_be_warm_and_tells_what_it_is_about(
    arguments: dict[str, Any], warm: bool, summary: str
) -> None:
    transfer = TransferTheCall({"kitchen": "+39051123456", "owner": "sip:o@example.com"}, warm=["owner"])
    assert parse_arguments(transfer.spec, json.dumps(arguments)) == arguments
    outcome = await transfer.run(arguments)
    assert isinstance(outcome.action, Transfer)
    assert (outcome.action.name, outcome.action.warm, outcome.action.summary) == (arguments["to"], warm, summary)
    assert outcome.final


async def test_waiting_and_opting_out_are_final_and_never_speculative() -> None:
    assert await WaitForTheCaller().run({}) == Outcome("You waited for the caller.", Hold(), final=True)
    assert (await DoNotCall().run({})).action == OptOut()
    assert not WaitForTheCaller.safe and not DoNotCall.safe


async def test_digits_are_sent_without_their_punctuation() -> None:
    assert (await SendTheDigits().run({"digits": "(555) 01-42#"})).action == SendDigits("5550142#")
    with pytest.raises(ToolError):
        await SendTheDigits().run({"digits": "five"})


SPEC = ToolSpec("t", "d", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})


def test_arguments_are_checked_against_the_schema() -> None:
    assert parse_arguments(SPEC, '{"n": 3}') == {"n": 3}
    assert parse_arguments(ToolSpec("t", "d"), "") == {}
    for wrong in ("{", "[1]", "{}", '{"n": "three"}', "3"):
        with pytest.raises(ToolError):
            parse_arguments(SPEC, wrong)
