"""What the words of a greeting say of who answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.greetings import LANGUAGES, Party, read_greeting
from tests.bench.greetings.corpus import LISTS, read_list

GREETINGS = [greeting for path in LISTS.values() for greeting in read_list(path)]
HUMAN = [greeting.words for greeting in GREETINGS if greeting.party == "human"]
PEOPLE = [
    "Hello? I thought this would go to voicemail.",
    "She is not available right now. Can I take a message?",
    "Would you like to leave a message for him?",
    "I can't talk right now, I'm driving, I'll call you back.",
    "You've reached the front desk, this is Carol, how can I help?",
    "Sorry, who is this? I'm currently at work.",
    "Please leave me alone.",
    "Welcome to Bella Pizza, what can I get you?",
    "Is this the office? The office is closed.",
]


@pytest.mark.parametrize("text", [*HUMAN, *PEOPLE])
def test_nothing_that_a_person_says_is_surely_a_machine(text: str) -> None:
    words = text.split()
    for count in range(1, len(words) + 1):
        heard = " ".join(words[:count])
        assert not read_greeting(heard).certain, heard


@pytest.mark.parametrize(
    ("text", "party"),
    [
        ("Hi, you've reached Susan, please leave a message after the tone.", Party.MACHINE),
        ("Welcome to the Vodafone voicemail service", Party.MACHINE),
        ("I can't come to the phone right now, leave your name and number", Party.MACHINE),
        ("For English, press one.", Party.MACHINE),
        ("All of our agents are busy.", Party.MACHINE),
        ("Please state your name and why you're calling.", Party.SCREENER),
        ("The person you're calling is using a screening service from Google", Party.SCREENER),
        ("If you record your name and reason for calling, I'll see if this person is available.", Party.SCREENER),
        ("The number you have dialed is not in service.", Party.CARRIER),
        ("Your call cannot be completed as dialed.", Party.CARRIER),
    ],
)
def test_what_no_person_says_is_certain(text: str, party: Party) -> None:
    reading = read_greeting(text)
    assert reading.certain
    assert reading.specific
    assert reading.party is party
    assert reading.phrase


@pytest.mark.parametrize(
    ("text", "party"),
    [("The person you are calling", Party.MACHINE), ("The number you have dialed", Party.CARRIER)],
)
def test_how_every_machine_begins_does_not_tell_which_one_it_is(text: str, party: Party) -> None:
    reading = read_greeting(text)
    assert (reading.certain, reading.specific, reading.party) == (True, False, party)


@pytest.mark.parametrize(
    ("language", "text", "party"),
    [
        ("de", "Bitte hinterlassen Sie eine Nachricht nach dem Signalton", Party.MACHINE),
        ("de", "Kein Anschluss unter dieser Nummer", Party.CARRIER),
        ("fr", "Vous êtes bien sur la messagerie de Paul, laissez un message après le bip", Party.MACHINE),
        ("es", "Deje su mensaje después de la señal", Party.MACHINE),
        ("it", "Il cliente da lei chiamato non è al momento raggiungibile", Party.MACHINE),
        ("it", "Il numero selezionato è inesistente", Party.CARRIER),
    ],
)
def test_other_languages_have_their_phrases(language: str, text: str, party: Party) -> None:
    assert read_greeting(text, language).certain
    assert read_greeting(text, language).party is party


def test_a_promised_beep_a_full_mailbox_and_a_request_to_wait_are_noticed() -> None:
    assert read_greeting("Please leave a message after the beep").beep_promised
    assert read_greeting("The mailbox is full and cannot accept any messages").full
    assert read_greeting("Thank you, please hold").holding
    plain = read_greeting("You have reached Ann")
    assert (plain.beep_promised, plain.full, plain.holding) == (False, False, False)


@given(st.text(), st.sampled_from([*LANGUAGES, "xx"]))
def test_any_text_can_be_read(text: str, language: str) -> None:
    reading = read_greeting(text, language)
    assert reading.human >= 0.0
    assert (reading.party is Party.HUMAN) == (reading.other == 0.0)
