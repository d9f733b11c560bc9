"""Who answered, with the real weights: a part of the bench's greetings, spoken, on a telephone line."""

from __future__ import annotations

import pytest

from media.models import status
from tests.bench.answering import Result, play
from tests.bench.greetings.corpus import LISTS, Greeting, read_list

pytestmark = pytest.mark.models

EXAMPLES = (
    "Hello?",
    "Hi, this is Anna speaking.",
    "Good morning, Miller and Sons, how can I help you?",
    "Hello? {pause 1.2} Hello?",
    "The person you are calling is not available. Please leave a message after the tone. {pause 0.6} {beep 1000 0.5}",
    "Your call is important to us. All of our agents are busy. Please stay on the line and the next available "
    "representative will assist you.",
    "Please state your name and the reason for your call after the tone. {pause 0.5} {beep 1000 0.3}",
    "{sit} We're sorry, the number you have dialed is not in service. Please check the number and dial again.",
)


def greetings() -> list[Greeting]:
    listed = {greeting.heard: greeting for greeting in reversed(read_list(LISTS["tuning"]))}
    return [listed[heard] for heard in EXAMPLES]


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    if missing := status(["kokoro"]):
        pytest.skip(missing["kokoro"])
    return {result.greeting.heard: result for result in play(greetings(), 0.0)}


@pytest.mark.parametrize("greeting", greetings(), ids=lambda greeting: greeting.words[:30])
def test_people_are_told_from_machines(results: dict[str, Result], greeting: Greeting) -> None:
    result = results[greeting.heard]
    told = [(verdict.party.value, verdict.why) for verdict in result.verdicts]
    assert result.right, told
    if greeting.party == "human":
        assert result.acted is None, told
    else:
        assert result.acted is not None, told
        assert result.acted.party.value == greeting.party
    if "{beep" in greeting.heard and greeting.party == "machine":
        assert result.over_late is not None
        assert 0.0 < result.over_late < 0.5
