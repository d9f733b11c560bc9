"""Languages without rules of their own: markup goes, numbers become words."""

from __future__ import annotations

import pytest

from media.speech.synthesis.normalise import normalise


def spoken(text: str, language: str) -> str:
    return " ".join(token.text + token.mark for token in normalise(text, language))


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "**Es sind** 21 Äpfel 🍎.", "Es sind einundzwanzig Äpfel."),
        ("de", "Das macht 1.234,5 Euro", "Das macht eintausendzweihundertvierunddreißig Komma fünf Euro."),
        ("fr-fr", "J'ai 80 euros!", "J'ai quatre-vingts euros!"),
        ("es", "Hay 3 gatos. ¿Y tú?", "Hay tres gatos. Y tú?"),
        ("pt-br", "Custa 7 reais", "Custa sete reais."),
        ("ru", "Привет, 5 минут", "Привет, пять минут."),
    ],
)
def test_numbers_are_read_in_the_language(language: str, text: str, expected: str) -> None:
    assert spoken(text, language) == expected


def test_a_language_num2words_does_not_know_keeps_its_digits() -> None:
    assert spoken("saluton 42", "xx") == "saluton 42."


def test_long_digit_strings_are_read_digit_by_digit() -> None:
    assert spoken("Nummer 0041", "de") == "Nummer null null vier eins."
