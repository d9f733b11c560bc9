"""Abbreviations in English, with and without their full stop."""

from __future__ import annotations

import re

from media.speech.synthesis.normalise.english.letters import spelled
from media.speech.synthesis.normalise.tokens import Context, Reading, Rule, Word, plain, rule, word_set

_TITLES = {
    "dr": "Doctor", "mr": "Mister", "mrs": "Missus", "ms": "Miz", "prof": "Professor", "rev": "Reverend",
    "hon": "Honourable", "gen": "General", "col": "Colonel", "capt": "Captain", "lt": "Lieutenant", "sgt": "Sergeant",
    "sen": "Senator", "gov": "Governor", "pres": "President", "st": "Saint", "mt": "Mount", "ft": "Fort",
}  # fmt: skip
"""Read so in front of a name."""

_STREETS = {
    "st": "Street", "dr": "Drive", "ave": "Avenue", "rd": "Road", "blvd": "Boulevard", "ln": "Lane", "ct": "Court",
    "sq": "Square", "pl": "Place", "hwy": "Highway", "pkwy": "Parkway",
}  # fmt: skip
"""Read so behind a name."""

_WORDS = {
    "etc": "et cetera", "vs": "versus", "approx": "approximately", "dept": "department", "inc": "incorporated",
    "ltd": "limited", "corp": "corporation", "co": "company", "jr": "junior", "sr": "senior", "avg": "average",
    "misc": "miscellaneous", "govt": "government", "univ": "university", "assn": "association", "bros": "brothers",
    "appt": "appointment", "al": "al", "viz": "namely", "cf": "compare", "incl": "including", "excl": "excluding",
    "attn": "attention", "apt": "apartment", "mr": "Mister", "mrs": "Missus", "ms": "Miz", "prof": "professor",
    "dr": "doctor",
}  # fmt: skip
"""Read so with a full stop, wherever they stand."""

_NUMBERED = {
    "no": "number", "nos": "numbers", "fig": "figure", "figs": "figures", "vol": "volume", "pp": "pages",
    "p": "page", "ch": "chapter", "sec": "section", "op": "opus", "ext": "extension", "tel": "telephone",
    "ca": "circa", "eq": "equation", "ref": "reference", "min": "minimum", "max": "maximum", "est": "established",
}  # fmt: skip
"""Read so in front of a number; without one they are words of their own, or unknown."""

_ENDING = word_set("etc inc ltd corp co jr sr al bros govt dept misc") | set(_STREETS)
"""May stand at the end of a sentence, whose full stop is then theirs too."""

_BARE = {
    "mr": "Mister", "mrs": "Missus", "ms": "Miz", "dr": "Doctor", "vs": "versus", "etc": "et cetera",
    "aka": "also known as", "ok": "okay", "btw": "by the way", "asap": "as soon as possible",
    "fyi": "for your information", "approx": "approximately", "pls": "please", "thx": "thanks",
}  # fmt: skip

_NEAR = 24
_DOTTED = "|".join(sorted({*_TITLES, *_STREETS, *_WORDS, *_NUMBERED}, key=len, reverse=True))


def _after_name(match: re.Match[str]) -> bool:
    """Whether a capitalised word or an ordinal stands directly in front, as in the name of a street."""
    before = match.string[max(0, match.start() - _NEAR) : match.start()]
    return bool(re.search(r"(?:[A-Z][a-z]+(?:'s)?|[0-9](?:st|nd|rd|th))\s$", before))


def _dotted(match: re.Match[str], context: Context) -> Reading | None:
    """By what stands around it a title, a street, or a word of its own."""
    name, following = match["name"].lower(), match.string[match.end() : match.end() + _NEAR]
    before_name = bool(re.match(r"\s+[A-Z]", following))
    ends = not following.strip(" \"')") or bool(re.match(r"\s+[\"'(]?[A-Z]", following))
    if name in _STREETS and _after_name(match):
        return [Word(_STREETS[name], mark="." if ends else "")]
    if name in _TITLES and before_name:
        return plain(_TITLES[name])
    if name in _NUMBERED:
        return plain(_NUMBERED[name]) if re.match(r"\s?[+(#]?[0-9]", following) else None
    if name not in _WORDS:
        return None
    words = plain(_WORDS[name])
    return [*words[:-1], Word(words[-1].text, mark="." if ends and name in _ENDING else "")]


def _latin(match: re.Match[str], context: Context) -> Reading:
    return plain({"e": "for example", "i": "that is"}[match.group()[0].lower()])


def _bare(match: re.Match[str], context: Context) -> Reading | None:
    return plain(_BARE[match.group().lower()])


def _with(match: re.Match[str], context: Context) -> Reading:
    return plain("without" if match.group().lower() == "w/o" else "with")


def _sharp(match: re.Match[str], context: Context) -> Reading:
    return [spelled(match.group()[0]), Word("sharp")]


def _initials(match: re.Match[str], context: Context) -> Reading:
    """U.S., J.R.R.: letters; the last full stop may also end the sentence."""
    word = spelled(re.sub(r"[^A-Za-z]", "", match.group()))
    ends = not match.string[match.end() :].strip(" \"')")
    return [Word(word.text, say=word.say, mark="." if ends else "")]


RULES: tuple[Rule, ...] = (
    rule("letter", r"[Cc]\+\+", lambda match, context: [Word("C", say="see"), Word("plus"), Word("plus")]),
    rule("letter", r"[CcFf]\#(?!\w)", _sharp),
    rule("letter", r"(?:e\.\s?g|i\.\s?e)\b\.?", _latin, re.IGNORECASE),
    rule("letter", r"(?:[A-Za-z]\.\s?){2,6}(?<=\.)(?![A-Za-z0-9])|(?:[A-Z]\.){2,6}", _initials),
    rule("letter", r"[A-Z]\.(?=\s+[A-Z][a-z])", _initials),
    rule("letter", rf"(?P<name>{_DOTTED})\.(?![A-Za-z0-9])", _dotted, re.IGNORECASE),
    rule("letter", rf"(?:{'|'.join(_BARE)})(?![\w'-]|\.\w)", _bare, re.IGNORECASE),
    rule("letter", r"w/o(?!\w)|w/(?=\s?[A-Za-z])", _with, re.IGNORECASE),
)
