"""Telephone numbers, e-mail addresses, links and handles in English."""

from __future__ import annotations

import re

from media.speech.synthesis.normalise.english.identifiers import names_something
from media.speech.synthesis.normalise.english.letters import spelled
from media.speech.synthesis.normalise.english.numbers import cardinal, digits, quantity, spell_digits
from media.speech.synthesis.normalise.tokens import Context, Reading, Rule, Word, plain, rule, word_set

_TOP_LEVEL = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|co|me|tv|uk|us|ca|au|nz|ie|de|fr|es|it|nl|be|ch|at|se|no|dk|fi"
    "|pl|pt|cz|eu|jp|in|cn|br|mx|za|xyz|online|shop|store|site|tech|cloud|example"
)
_SIGNS = {".": "dot", "@": "at", "-": "dash", "_": "underscore", "/": "slash", "+": "plus", "~": "tilde", "#": "hash"}
_SPELLED_LABELS = word_set("uk us au nz io ai tv eu www de fr jp ie ca html pdf")
_PART = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]")
_DIAL_CUES = word_set("call dial phone ring text telephone contact")

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}"
_PATH = r"(?:/[A-Za-z0-9_~%+@&=.,/-]*[A-Za-z0-9_~/])?"


def _signs_read(text: str) -> list[Word]:
    """An address: words as they are, letters without a vowel spelled, digits one by one if many, signs named."""
    words: list[Word] = []
    for part in _PART.findall(text):
        if part.isdigit():
            words += plain(cardinal(int(part)) if len(part) <= 2 and part[0] != "0" else digits(part))
        elif part.isalpha():
            spell = part.lower() in _SPELLED_LABELS or (len(part) > 1 and not re.search(r"[aeiouy]", part.lower()))
            words.append(spelled(part) if spell or len(part) == 1 else Word(part.lower()))
        elif part in _SIGNS:
            words.append(Word(_SIGNS[part]))
    return words


def _url(match: re.Match[str], context: Context) -> Reading:
    path = (match["path"] or "").rstrip("/")
    return _signs_read(match["host"] + path)


def _email(match: re.Match[str], context: Context) -> Reading:
    return _signs_read(match.group())


def _handle(match: re.Match[str], context: Context) -> Reading:
    return [Word("at"), *_signs_read(match["name"])]


def _hashtag(match: re.Match[str], context: Context) -> Reading:
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", match["name"])
    words = (quantity(part) if part.isdigit() and len(part) < 5 else digits(part) or part for part in parts)
    return [Word("hashtag"), *plain(" ".join(words))]


def _phone(match: re.Match[str], context: Context) -> Reading | None:
    """Digit by digit with a short pause between the groups as written; `+` is plus."""
    text = match.group()
    groups = re.findall(r"[0-9]+", text)
    if sum(map(len, groups)) < 7:
        return None
    words: list[Word] = [Word("plus")] if text.startswith("+") else []
    for number, group in enumerate(groups):
        spoken = spell_digits(group) if len(group) > 4 else plain(digits(group))
        last = number == len(groups) - 1
        words += [*spoken[:-1], Word(spoken[-1].text, mark="" if last else ",")]
    return words


def _local(match: re.Match[str], context: Context) -> Reading | None:
    """555-1234; with a space between only where a number is being given."""
    stated = "-" in match.group() or names_something(context) or context.said(_DIAL_CUES, 2)
    return _phone(match, context) if stated else None


def _short_number(match: re.Match[str], context: Context) -> Reading | None:
    """911 and the like, after a word for calling."""
    return plain(digits(match.group())) if context.said(_DIAL_CUES, 1) else None


RULES: tuple[Rule, ...] = (
    rule("letter digit", r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}", _email),
    rule(
        "letter digit",
        rf"(?:(?:https?|ftp)://(?:[^\s/@:]{{1,64}}@)?|(?=www\.))(?P<host>{_HOST}[A-Za-z]{{2,24}}|localhost|[0-9.]{{7,15}})"
        rf"(?::[0-9]{{1,5}})?(?P<path>{_PATH})(?:[?\#][^\s)\]>]*[A-Za-z0-9=/])?",
        _url,
        re.IGNORECASE,
    ),
    rule("letter digit", rf"(?P<host>{_HOST}(?:{_TOP_LEVEL}))(?![A-Za-z0-9-])(?P<path>{_PATH})(?:\?[^\s]*\w)?", _url),
    rule("sign", r"@(?P<name>[A-Za-z][A-Za-z0-9_.]{0,38}[A-Za-z0-9_])", _handle),
    rule("sign", r"\#(?P<name>[A-Za-z][A-Za-z0-9_]{0,60})", _hashtag),
    rule(
        "digit sign",
        r"(?<![\w.])(?:\+?1[\s.-])?(?:\([0-9]{3}\)\s?|[0-9]{3}[\s.-])[0-9]{3}[\s.-][0-9]{4}(?![\w-]|\.[0-9])",
        _phone,
    ),
    rule("sign", r"\+[0-9]{1,3}(?:[\s.-]?\(?[0-9]{1,5}\)?){1,6}(?![0-9])", _phone),
    rule("digit", r"(?<![\w.])0[0-9]{2,4}[\s-][0-9]{3,4}(?:[\s-]?[0-9]{3,4})?(?![\w-]|[.,:][0-9])", _phone),
    rule("digit", r"(?<![\w.$-])[0-9]{3}[-\s][0-9]{4}(?![\w-]|[.,:][0-9])", _local),
    rule("digit", r"[0-9]{3}(?![\w-]|[.,:/%][0-9])", _short_number),
)
