"""Plain words that ask not to be called again, and words that look like them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.opt_out import LANGUAGES, asks_not_to_be_called

ASKS = [
    "Don't call me again.",
    "Please do not call me again.",
    "Don't ever call me again!",
    "Do not call this number again, please.",
    "Don’t call here anymore.",
    "Don't call me.",
    "Please don't call me, I'm not interested.",
    "Never call me again.",
    "Never call this number.",
    "I told you don't call me anymore",
    "I asked you not to call me.",
    "Listen, I asked you not to call here again.",
    "Stop calling me.",
    "Stop calling me!",
    "Please stop calling.",
    "Can you please stop calling me",
    "Could you stop calling this number?",
    "I want you to stop calling me I'm not interested",
    "Stop calling me or I will call the police.",
    "If you don't stop calling me, I'm calling a lawyer.",
    "Quit calling here.",
    "Stop bothering us.",
    "Stop these calls.",
    "I don't want any more calls.",
    "I don't want to be called again.",
    "I do not wish to be contacted.",
    "I don't want you to call me anymore.",
    "I don't want you calling me.",
    "No more calls, please.",
    "Take me off your list.",
    "Take me off the list, please.",
    "Please take my number off your calling list.",
    "Can you remove me from your list?",
    "Remove my number.",
    "Please delete my phone number from your database.",
    "Could you remove my number from your system",
    "Take us off your marketing list, thank you.",
    "I want my number removed from your records.",
    "Put me on your do not call list.",
    "Add my number to the do not call registry.",
    "I'm on the national do not call registry.",
    "Do not contact me.",
    "Do not contact me again about this.",
    "Don't text me anymore.",
    "Unsubscribe me.",
    "I'd like to opt out of these calls.",
    "Lose my number.",
    "Leave me alone.",
    "Hello, no thank you, and don't call again.",
    "Do not ever call this phone number again.",
    "I do not want to receive any more calls from you.",
    "I don't want to get calls like this anymore.",
    "How many times do I have to tell you to stop calling me?",
    "You need to stop calling me.",
    "This is the last time you call me.",
    "I want off your list.",
    "I would like to be removed from the calling list.",
    "You may not call me again.",
    "I withdraw my consent.",
    "Block my number.",
]
OTHERWISE = [
    "",
    "Don't call me before six.",
    "Don't call me today.",
    "Don't call me again before Monday.",
    "Please don't call me again today, I'm busy.",
    "Don't call me Bob.",
    "Don't call me after nine, please.",
    "Don't call me at work.",
    "Do not call me when I am driving.",
    "Stop calling me Bob.",
    "Stop calling me at six in the morning.",
    "Please don't stop calling me.",
    "Why did you stop calling me?",
    "I didn't say stop calling me.",
    "You never call me.",
    "My son does not call me again and again.",
    "They never call.",
    "We do not call this number.",
    "Why don't you call me tomorrow?",
    "Don't take me off your list.",
    "Take me off the waiting list.",
    "Remove my number from the booking.",
    "Take the onions off my list.",
    "Can you call me again?",
    "Call me again tomorrow.",
    "Please call me back.",
    "Can you put me on your list?",
    "What is the do not call list?",
    "Did they take me off the list?",
    "I don't want to be called Robert.",
    "I never said I don't like the calls from my mother.",
    "Who is calling?",
    "Stop it, you are so funny.",
    "I will stop calling you.",
    "I'll be home by eight, don't call before that.",
    "Leave me alone for a minute.",
    "I am not interested.",
    "Not now, I am busy.",
    "How do I opt into these calls?",
    "Do you want my number?",
    "I lost my number plate.",
    "If nobody answers, don't call the office.",
    "They told me to stop calling.",
    "I asked him not to call me again.",
    "The doctor told me not to call before noon.",
    "Do I need to opt out?",
    "Should I put my number on your list?",
    "How can I opt out of the warranty?",
    "Take me off hold.",
    "Please stop calling it a scam.",
    "Don't forget my number.",
    "Don't call the police.",
    "I don't want to stop getting calls.",
]


@pytest.mark.parametrize("text", ASKS)
def test_who_asks_not_to_be_called_is_understood(text: str) -> None:
    assert asks_not_to_be_called(text, "en")
    assert asks_not_to_be_called(text)


@pytest.mark.parametrize("text", OTHERWISE)
def test_who_says_something_else_is_not(text: str) -> None:
    assert not asks_not_to_be_called(text, "en")
    assert not asks_not_to_be_called(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Rufen Sie mich bitte nicht mehr an."),
        ("de", "Ich möchte nicht mehr angerufen werden."),
        ("de", "Streichen Sie mich von Ihrer Liste."),
        ("es", "No me llamen más."),
        ("es", "Bórreme de su lista, por favor."),
        ("fr", "Ne m’appelez plus."),
        ("fr", "Retirez-moi de votre liste."),
        ("it", "Non mi chiamate più."),
        ("it", "Cancellate il mio numero dalla vostra lista."),
    ],
)
def test_other_languages_have_their_own_words(language: str, text: str) -> None:
    assert asks_not_to_be_called(text, language)
    assert asks_not_to_be_called(text)
    assert not asks_not_to_be_called(text, "en")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Rufen Sie mich bitte morgen wieder an."),
        ("es", "Llámeme más tarde."),
        ("fr", "Rappelez-moi plus tard."),
        ("it", "Mi chiami più tardi."),
    ],
)
def test_who_wants_to_be_called_later_in_another_language_does_not_ask_for_it(language: str, text: str) -> None:
    assert not asks_not_to_be_called(text, language)


@given(st.sampled_from(ASKS), st.sampled_from([str.upper, str.lower, lambda text: text.replace("'", "’")]))
def test_spelling_does_not_matter(text: str, spelling: object) -> None:
    assert callable(spelling)
    assert asks_not_to_be_called(spelling(text), "en")


@given(st.text(max_size=300), st.sampled_from([None, "auto", *sorted(LANGUAGES)]))
def test_any_text_is_judged(text: str, language: str | None) -> None:
    assert asks_not_to_be_called(text, language) in (True, False)
