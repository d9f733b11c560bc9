import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.definition import AgentDefinition
from server.phone.book import CallOrder
from server.phone.briefs import fill, notes, opening, transfer_targets

OUTBOUND = CallOrder("c1", "a1", "demo", "outbound", "+442079460018", "+14155550123", {"name": "Ana", "seats": 4})
INBOUND = CallOrder("c2", "a1", "demo", "inbound", "", "+14155550123")


def agent(**fields: object) -> AgentDefinition:
    return AgentDefinition.model_validate({"name": "Mira", "system_prompt": "Be kind.", **fields})


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Hello {name}, a table for {seats}?", "Hello Ana, a table for 4?"),
        ("Hello {nobody}!", "Hello!"),
        ("Hello {nobody}, it is me.", "Hello, it is me."),
        ("{nobody}, are you there?", "Are you there?"),
        ("{name} {name}", "Ana Ana"),
        ("Nothing to fill in. ", "Nothing to fill in."),
        ("Not a placeholder: { name } {} {1}", "Not a placeholder: { name } {} {1}"),
        ("{nobody}", ""),
        ("", ""),
    ],
)
def test_placeholders_are_filled_in_and_what_is_not_known_is_left_out(text: str, filled: str) -> None:
    assert fill(text, OUTBOUND.variables) == filled


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("  a\n b ", "a b"),
        (3.5, "3.5"),
        (True, "yes"),
        (None, ""),
        ([1], ""),
        ({"a": 1}, ""),
        ("", ""),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_value_is_said_in_one_line_or_not_at_all(value: object, said: str) -> None:
    assert fill("It is {value}.", {"value": value}) == (f"It is {said}." if said else "It is.")


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    assert fill("Hello {name}!", {"name": "{secret}", "secret": "x"}) == "Hello {secret}!"


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_no_text_and_no_variables_make_it_fail(text: str, variables: dict[str, object]) -> None:
    fill(text, variables)


def test_who_calls_says_so_first_and_who_records_says_so_next() -> None:
    mira = agent(greeting="Hello {name}!", phone={"disclosure": "I am a machine.", "consent": "This is recorded."})
    assert opening(mira, OUTBOUND, recorded=True) == "I am a machine. This is recorded. Hello Ana!"
    assert opening(mira, OUTBOUND, recorded=False) == "I am a machine. Hello Ana!"
    assert opening(mira, INBOUND, recorded=True) == "This is recorded. Hello!"
    assert opening(agent(), INBOUND, recorded=False) == ""


def test_the_model_is_told_whom_it_talks_with() -> None:
    told = notes(OUTBOUND, "And this.", "")
    assert "You have called +442079460018" in told
    assert "name: Ana; seats: 4" in told
    assert told.endswith("\nAnd this.")
    assert "a number that is not shown has called you" in notes(INBOUND)


def test_an_agent_transfers_to_those_whom_its_definition_names() -> None:
    tools = [{"transfer": {"the cook": "+14155550199"}}, "end_call"]
    assert transfer_targets(agent(tools=tools)) == {"the cook": "+14155550199"}
    assert transfer_targets(agent()) == {}
