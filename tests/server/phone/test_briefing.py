import pytest

from server.phone.book import CallOrder
from server.phone.briefing import briefing_notes, decision, first_words

ORDER = CallOrder("c1", "a1", "demo", "inbound", "+15005550006", "+14155550123")


@pytest.mark.parametrize(
    "text",
    ["Yes.", "Yeah, sure.", "OK, put them through.", "Sì, certo.", "Ja!", "Oui.", "One.", "of course", "Go ahead"],
)
def test_a_yes_takes_the_call(text: str) -> None:
    assert decision(text) == "accept"


@pytest.mark.parametrize("text", ["No.", "I'm busy.", "Not now.", "I can't.", "Nein.", "Non!", "Later please."])
def test_a_no_does_not(text: str) -> None:
    assert decision(text) == "decline"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello?",
        "Who is it?",
        "Yes, no, wait.",
        "Yes I think I know him but what does he want?",
        "Not one of them, yes",
    ],
)
def test_what_is_neither_is_talked_about(text: str) -> None:
    assert decision(text) is None


def test_the_person_is_told_what_it_is_about_and_asked() -> None:
    said = first_words(ORDER, "the cook", "Ana asks for a table.")
    assert "the cook" in said
    assert "Ana asks for a table." in said
    assert "Press 1 or say yes" in said
    assert ORDER.peer in first_words(ORDER, "", "")


def test_the_model_knows_that_it_talks_with_somebody_else() -> None:
    told = briefing_notes(ORDER, "the cook", "A table.", "What was said before:\nCaller: hi")
    assert "not talking with the caller" in told
    assert told.endswith("Caller: hi")
