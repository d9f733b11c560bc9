"""Capitals in English: acronyms, Roman numerals, single letters, raised voices."""

from __future__ import annotations

import re

from media.speech.synthesis.normalise.english.letters import spelled
from media.speech.synthesis.normalise.english.numbers import cardinal, ordinal
from media.speech.synthesis.normalise.tokens import Context, Reading, Rule, Word, plain, rule, word_set

_SAID_AS_WORDS = word_set(
    "NASA NATO UNESCO UNICEF OPEC AIDS LASER RADAR SCUBA SONAR RAM ROM PIN SIM COVID FIFA UEFA NAFTA OSHA JPEG "
    "GIF BIOS SWAT POTUS SCOTUS JSON LAN WAN DOS IKEA LEGO VISA YAML BASIC NO YES AM IS IN ON AT OR AND THE "
    "NOT TO OF IF SO DO GO WE HE ME MY BY UP AN AS BE HI ALL ANY NEW NOW YOU"
)
_SPELLED = word_set("USPS DVLA ICBM AARP")
_LONGEST_SPELLED = 3
"""Longer capitals are left to the phonemiser, which knows NOTE from HTML by how they could be pronounced."""

_ROMAN_CUES = word_set(
    "chapter part section act volume book war phase level type class title article appendix stage scene step "
    "bowl rocky schedule grade"
)
_ROMAN = {"I": 1, "V": 5, "X": 10}
_LARGEST_REGNAL = 30
_LETTER_CUES = word_set(
    "letter plan option vitamin grade type section group team level hepatitis point class part exhibit "
    "appendix terminal gate block zone form schedule drive size"
)
_NEAR = 40


def _shouted(match: re.Match[str]) -> bool:
    """Whether most words around are in capitals too, so that capitals are a raised voice and no acronym."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    words = re.findall(r"[A-Za-z]{2,}", before[-_NEAR:]) + re.findall(r"[A-Za-z]{2,}", after[:_NEAR])
    return bool(words) and 2 * sum(word.isupper() for word in words) > len(words)


def _capitals(match: re.Match[str], context: Context) -> Reading | None:
    """An acronym, letter by letter unless it is one that is said as a word; a plural keeps its s."""
    letters, suffix = match["letters"], match["suffix"] or ""
    if not suffix and (roman := _roman(match, context)) is not None:
        return roman
    if letters in _SAID_AS_WORDS or _shouted(match):
        return [Word(letters + suffix, say=(letters + suffix).lower())]
    if len(letters) > _LONGEST_SPELLED and letters not in _SPELLED:
        return [Word(letters + suffix)]
    return [spelled(letters, suffix=suffix)]


def _roman(match: re.Match[str], context: Context) -> Reading | None:
    """A Roman numeral after a word that is numbered, and after a name from II on: Henry the eighth."""
    letters = match["letters"]
    if not re.fullmatch(r"X{0,3}(?:IX|IV|V?I{0,3})", letters):
        return None
    values = [_ROMAN[letter] for letter in letters]
    number = sum(-value if value < max(values[i:]) else value for i, value in enumerate(values))
    if context.said(_ROMAN_CUES):
        return plain(cardinal(number))
    name = re.search(r"[A-Z][a-z]{2,}\s$", match.string[max(0, match.start() - _NEAR) : match.start()])
    if name and len(letters) > 1 and number <= _LARGEST_REGNAL:
        return plain(f"the {ordinal(number)}")
    return None


def _letter(match: re.Match[str], context: Context) -> Reading | None:
    """A single letter by its name, unless it is the article, the pronoun, or a call (O Romeo)."""
    letter = match.group()
    cued = context.said(_LETTER_CUES)
    if letter == "I" and context.said(_ROMAN_CUES):
        return [Word("one")]
    if letter in "aAIO" and not cued:
        goes_on = re.match(r"\s+(?!(?:[B-HJ-Z]|and\s+[B-Z])\b)[\w\"'$£€#]|'|[-–]", match.string[match.end() :])
        if goes_on or letter in "IO":
            return None
    return [spelled(letter)]


def _word_and_letters(match: re.Match[str], context: Context) -> Reading:
    """OpenAI, ChatGPT: the word, then the letters."""
    cut = match.start("letters")
    name = spelled(match["letters"])
    return [
        Word(match["word"], span=(match.start(), cut)),
        Word(name.text, say=name.say, span=(cut, match.end())),
    ]


RULES: tuple[Rule, ...] = (
    rule("letter", r"(?P<letters>[A-Z]{2,12})(?P<suffix>'?s)?(?![\w'])", _capitals),
    rule("letter", r"(?P<word>[A-Z]?[a-z]{2,})(?P<letters>[A-Z]{2,4})(?!\w)", _word_and_letters),
    rule("letter", r"[A-Za-z](?![\w']|-[A-Za-z])", _letter),
)
