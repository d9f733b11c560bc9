from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.renders.topic import topic_of


@pytest.mark.parametrize(
    ("prompt", "language", "name"),
    [
        ("Create a product review video about our new wireless headphones", "en", "our new wireless headphones"),
        ("Please make a 30 second ad for Trattoria Lucia!", "en", "Trattoria Lucia"),
        ("Create a product review video about...", "en", "a product review video"),
        ("Explain why sleep matters.", "en", "why sleep matters"),
        ("our bakery in the old town", "en", "our bakery in the old town"),
        ("Crea un video sobre nuestra panadería", "es", "nuestra panadería"),
        ("Fais une vidéo sur notre boulangerie.", "fr", "notre boulangerie"),
        ("Crea un video su questa panetteria.", "it", "questa panetteria"),
        ("Faça um vídeo sobre a nossa padaria", "pt", "a nossa padaria"),
    ],
)
def test_the_topic_is_what_follows_the_order(prompt: str, language: str, name: str) -> None:
    assert topic_of(prompt, language).name == name


def test_what_the_prompt_states_is_kept_and_what_it_orders_is_not() -> None:
    topic = topic_of(
        "Create a video about the X5 headphones. They last 40 hours. mention that they cost 99.50 dollars. "
        "Use an energetic tone. Keep it short.",
        "en",
    )
    assert topic.name == "the X5 headphones"
    assert topic.facts == ("They last 40 hours.", "They cost 99.50 dollars.")


def test_a_prompt_without_an_order_is_all_facts() -> None:
    topic = topic_of("Our bakery opens at six. Everything is baked by hand!", "en")
    assert topic.facts == ("Our bakery opens at six.", "Everything is baked by hand!")


def test_a_long_topic_is_cut_at_a_clause_or_a_word() -> None:
    assert topic_of("about coffee, " + "which we like very much " * 10, "en").name == "about coffee"
    name = topic_of("everything there is to know " * 10, "en").name
    assert len(name) <= 90
    assert not name.endswith(" ")


@given(st.text(min_size=1, max_size=300), st.sampled_from(["en", "es", "fr", "it", "pt", "de"]))
def test_any_prompt_has_a_topic(prompt: str, language: str) -> None:
    topic = topic_of(prompt, language)
    if any(character.isalnum() for character in prompt):
        assert topic.name
    assert len(topic.name) <= 300
