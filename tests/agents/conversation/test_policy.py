"""Turn-taking options: overriding them, and what is wrong with a wrong one."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from agents.conversation import events as ev
from agents.conversation.policy import SHORTEST_WAIT, PolicyError, TurnPolicy
from tests.agents.conversation.script import Script


def test_no_options_are_the_defaults() -> None:
    assert TurnPolicy.from_options({}) == TurnPolicy()


def test_options_override_a_base() -> None:
    base = TurnPolicy.from_options({"idle_after": 20, "barge_in": False})
    policy = TurnPolicy.from_options({"barge_in": True, "answer_retries": 3.0}, base)
    assert (policy.idle_after, policy.barge_in, policy.answer_retries) == (20.0, True, 3)
    assert isinstance(policy.idle_after, float)
    assert isinstance(policy.answer_retries, int)
    assert base.barge_in is False


def test_the_defaults_are_options_that_are_accepted() -> None:
    defaults = {field.name: getattr(TurnPolicy(), field.name) for field in fields(TurnPolicy)}
    assert TurnPolicy.from_options(defaults) == TurnPolicy()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("idle", 3, "turn_taking.idle is not an option; options are: answer_retries, answer_timeout, "),
        ("idle_after", "soon", "turn_taking.idle_after must be a number, not 'soon'"),
        ("idle_after", True, "turn_taking.idle_after must be a number, not True"),
        ("idle_after", None, "turn_taking.idle_after must be a number, not None"),
        ("idle_after", -1, "turn_taking.idle_after must lie between 0.02 and 86400, not -1"),
        ("idle_after", 0, "turn_taking.idle_after must lie between 0.02 and 86400, not 0"),
        ("hold_after", -0.1, "turn_taking.hold_after must lie between 0 and 86400, not -0.1"),
        ("hold_after", 86_401, "turn_taking.hold_after must lie between 0 and 86400, not 86401"),
        ("hold_after", float("nan"), "turn_taking.hold_after must lie between 0 and 86400, not nan"),
        ("hold_after", float("inf"), "turn_taking.hold_after must lie between 0 and 86400, not inf"),
        ("prosody_sure", 1.5, "turn_taking.prosody_sure must lie between 0 and 1, not 1.5"),
        ("words_certain", -0.5, "turn_taking.words_certain must lie between 0 and 1, not -0.5"),
        ("backchannel_log_probability", 0.5, "must lie between -10 and 0, not 0.5"),
        ("most_failures", 1.5, "turn_taking.most_failures must be a whole number, not 1.5"),
        ("answer_retries", 0.5, "turn_taking.answer_retries must be a whole number, not 0.5"),
        ("barge_in", "yes", "turn_taking.barge_in must be true or false"),
        ("barge_in", 1, "turn_taking.barge_in must be true or false"),
        ("backchannels", "uh-huh", "turn_taking.backchannels must be a list of phrases"),
        ("backchannels", ["uh-huh", 3], "turn_taking.backchannels must be a list of phrases"),
    ],
)
def test_a_wrong_option_is_named_with_what_it_may_be(name: str, value: Any, complaint: str) -> None:
    with pytest.raises(PolicyError) as error:
        TurnPolicy.from_options({name: value})
    assert complaint in str(error.value)


TIMES = [field.name for field in fields(TurnPolicy) if isinstance(field.default, float)]


@pytest.mark.parametrize("name", TIMES)
def test_a_call_comes_to_its_end_with_every_option_as_small_as_it_may_be(name: str) -> None:
    least = -10.0 if name == "backchannel_log_probability" else SHORTEST_WAIT if refuses_zero(name) else 0.0
    options: dict[str, Any] = {name: least}
    script = Script(**options)
    script.feed(ev.CallStarted())
    script.says("I would like to book a table.", 3.0, 5.0)
    script.says("Wait, stop.", 6.5, 7.5)
    script.says("", 20.0, 40.0)
    script.clicks(45.0)
    script.run(500.0)
    assert script.ended


def refuses_zero(name: str) -> bool:
    """Whether an option may not be 0."""
    try:
        TurnPolicy.from_options({name: 0})
    except PolicyError:
        return True
    return False
