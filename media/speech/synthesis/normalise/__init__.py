"""From written text to the words that are spoken, each with the characters it came from.

`normalise` reads Markdown blocks, drops what cannot be spoken (markup, link targets, code blocks, emoji, controls),
and lets the rules of the language read numbers, dates, money, addresses and abbreviations. It is lazy: what is not
asked for is not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from media.speech.synthesis.normalise import english, generic
from media.speech.synthesis.normalise.characters import make_plain
from media.speech.synthesis.normalise.markdown import blocks
from media.speech.synthesis.normalise.scanner import Scanner
from media.speech.synthesis.normalise.tokens import Context, Token

__all__ = ["Token", "normalise"]


def normalise(text: str, language: str = "en-us") -> Iterator[Token]:
    """The words of `text` in the order they are spoken. Never raises, whatever the text.

    `language` is an espeak language ("en-us", "en-gb", "de", "pt-br"). English is read in full; other languages
    get their numbers from num2words and their words as they stand.
    """
    base = generic.base_language(language)
    rules = english.RULES if base == "en" else generic.rules(language)
    scanner = Scanner(rules, Context(american=language.lower() in ("en", "en-us")))
    for block in blocks(text):
        yield from scanner.tokens(make_plain(block))
