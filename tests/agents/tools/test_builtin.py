"""The built-in tools."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agents.llm.protocol import ToolSpec
from agents.pieces import EndCall, SendDigits, Transfer
from agents.tools.builtin import CurrentTime, EndTheCall, SendTheDigits, TransferTheCall
from agents.tools.tool import ToolError, parse_arguments


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
    assert (await transfer.run({"to": "kitchen"})).action == Transfer("+39051123456")
    assert transfer.spec.parameters["properties"]["to"]["enum"] == ["kitchen"]
    with pytest.raises(ToolError, match="nobody"):
        await transfer.run({"to": "+19005550000"})


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
