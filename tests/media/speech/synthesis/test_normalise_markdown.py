"""Markup is taken out, what it holds is spoken, and what cannot be spoken is dropped."""

from __future__ import annotations

import pytest

from media.speech.synthesis.normalise import normalise


def spoken(text: str) -> str:
    return " ".join(token.text + token.mark for token in normalise(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Heading\n\nText", "Heading. Text."),
        ("## Closed heading ##", "Closed heading."),
        ("Title\n=====\nText", "Title. Text."),
        ("**bold**, *italic*, __both__, ~~gone~~", "bold, italic, both, gone."),
        ("a ***very* bold** word", "a very bold word."),
        ("- one\n- two\n  - three", "one. two. three."),
        ("* [ ] milk\n* [x] eggs", "milk. eggs."),
        ("1. First\n2) Second", "one: First. two: Second."),
        ("> quoted\n> more", "quoted more."),
        ('see [a link](https://example.com/x_(y)?z=1 "title") now', "see a link now."),
        ("see [a link][ref]\n\n[ref]: https://example.com", "see a link."),
        ("![a cat](cat.png)", "a cat."),
        ("<https://example.com>", "example dot com."),
        ("claims [1] and [^2] stand", "claims and stand."),
        ("before\n```python\nprint('x')\n```\nafter", "before. after."),
        ("before\n~~~\ncode", "before."),
        ("run `make serve` now", "run make serve now."),
        ("``a `b` c``", "a b c."),
        ("| A | B |\n|---|:-:|\n| 1 | x |", "A, B. one, x."),
        ("A | B\n--|--\nC | D", "A, B. C, D."),
        ("one\n\n---\n\ntwo", "one. two."),
        ("<b>bold</b><br>next &amp; last <!-- no -->", "bold next and last."),
        (r"\*not bold\*", "not bold."),
        ("a wrapped line that is longer than sixty characters, so it was\ncut", None),
        ("Roses are red\nViolets are blue", "Roses are red. Violets are blue."),
    ],
)
def test_markdown_is_not_spoken(text: str, expected: str | None) -> None:
    if expected is None:
        assert "was cut." in spoken(text)
    else:
        assert spoken(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "😀🎉👩‍👩‍👧‍👦🇩🇪❤️",
        "1️⃣",
        ":) ;-) :D <3",
        "***",
        "---\n\n***",
        "```\ncode\n```",
        "\u200b\ufeff\u202e\x07\x00",
        "…?!.,;:",
        "漢字かな",
        "∀∃∅⊂",
        "| | |\n|--|--|",
    ],
)
def test_what_cannot_be_spoken_yields_nothing(text: str) -> None:
    assert list(normalise(text)) == []


def test_full_width_and_styled_letters_are_read_as_plain_ones() -> None:
    assert spoken("Ｈｅｌｌｏ １２ 𝐛𝐨𝐥𝐝") == "Hello twelve bold."


def test_soft_hyphens_and_joiners_vanish_inside_words() -> None:
    assert spoken("hy\u00adphen zero\u200bwidth") == "hyphen zerowidth."
