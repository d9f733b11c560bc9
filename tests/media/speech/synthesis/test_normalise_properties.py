"""Whatever the text: no error, spans in order and inside it, nothing left that cannot be spoken."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from media.speech.synthesis.normalise import normalise
from media.speech.synthesis.normalise.tokens import MARKS

LANGUAGES = ("en-us", "en-gb", "de", "fr-fr", "es", "ja", "xx")

FORMS = (
    "$12.50 3/4/2026 2026-03-04 9:05pm Dr. St. e.g. U.S. FBI IV 1st 5kg 20°C 50% 1/2 ½ +44 555-1234 a@b.co "
    "https://x.org/y?z #tag @me **b** `c` [l](u) | --- > # - * _ ~ ^2 & + = ... ?! ( ) \" ' — 😀 é 漢 0 007 1,234 "
    "-5 1-2 C++ ’s 5'10\" № ² \n\n \n ``` <b> &amp; \\* \u200b \x00"
)

WRITTEN = st.lists(
    st.sampled_from(FORMS.split(" ")),
    max_size=30,
).flatmap(lambda parts: st.sampled_from([" ", ""]).map(lambda gap: gap.join(parts)))


def check(text: str, language: str) -> None:
    reached = 0
    tokens = list(normalise(text, language))
    for token in tokens:
        assert 0 <= token.start < token.end <= len(text)
        assert token.start >= reached
        reached = token.start
        assert token.mark in MARKS
        assert token.say.strip()
        signs = "'-.," if token.say[0].isdigit() else "'-"  # numbers of a language unknown to num2words stay as written
        assert all(unicodedata.category(c)[0] in "LMN" or c in signs for c in token.say), token
    if tokens:
        assert tokens[-1].ends_block


@given(st.text(max_size=200), st.sampled_from(LANGUAGES))
def test_any_text_is_read(text: str, language: str) -> None:
    check(text, language)


@given(WRITTEN, st.sampled_from(LANGUAGES))
def test_any_mixture_of_written_forms_is_read(text: str, language: str) -> None:
    check(text, language)


@given(st.integers(0, 10**18))
def test_every_number_becomes_words(number: int) -> None:
    assert not any(c.isdigit() for token in normalise(f"about {number:,} or {number}.5 of them") for c in token.say)
