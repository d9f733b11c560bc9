"""Card numbers taken out of what was said on the telephone, before it is kept or logged. Pure.

A card number (ISO/IEC 7812) has 13 to 19 digits, the first no 0 and the last a check digit (Luhn). People say it in
groups, digit by digit or with "double four", and recognisers write it as any of that. The security code and the date
tend to follow in the same breath and go with it (PCI DSS forbids keeping the code). A number that is spread over
several turns is not seen, nor is one that was misheard: then its check digit is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agents.session.services import TurnRecord
from media.speech.protocols import TimedWord

REDACTED = "[card number]"
SHORTEST, LONGEST = 13, 19

_DIGIT_WORDS: Mapping[str, str] = {
    word: str(digit)
    for digit, words in enumerate(
        (
            "zero oh o nought null cero zéro",
            "one eins uno una un une",
            "two zwei zwo dos deux due",
            "three drei tres trois tre",
            "four vier cuatro quatre quattro",
            "five fünf cinco cinq cinque",
            "six sechs seis sei",
            "seven sieben siete sept sette",
            "eight acht ocho huit otto",
            "nine niner neun nueve neuf nove",
        )
    )
    for word in words.split()
}
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_TEENS_DIGITS = {word: str(number) for number, word in enumerate(_TEENS, 10)}
_TENS_DIGITS = {word: str(number) for number, word in enumerate(_TENS, 2)}
_TIMES = {"double": 2, "triple": 3, "treble": 3, "doppel": 2, "doble": 2, "doppio": 2, "doppia": 2, "tripel": 3}
_BETWEEN = frozenset({"um", "uh", "er", "erm", "hm", "then", "dash", "hyphen", "space", "comma"})
"""Words that may stand between digits."""
_TOKEN = re.compile(r"\d+|[^\W\d_]+")
_GAP = re.compile(r"[\s\-–—.,·/…]{0,5}")
"""Marks that may stand between digits."""

_ISSUED: tuple[tuple[re.Pattern[str], frozenset[int]], ...] = (
    (re.compile(r"4"), frozenset({13, 16, 19})),
    (re.compile(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|35"), frozenset({16})),
    (re.compile(r"3[47]"), frozenset({15})),
    (re.compile(r"3[0689]"), frozenset({14, 16})),
    (re.compile(r"6(?:011|2|4|5)|5[06-9]|6[0-9]"), frozenset({16, 19})),
)
"""How the numbers of the large networks begin, and how long they are."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Digits said together: their characters in the text."""

    start: int
    end: int
    digits: str


def passes_luhn(digits: str) -> bool:
    """Whether the last of these digits is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def redact(text: str) -> str:
    """The text with `[card number]` in place of what looks like one."""
    for start, end in reversed(_spans(text)):
        text = text[:start] + REDACTED + text[end:]
    return text


def redact_words(words: Sequence[TimedWord]) -> tuple[TimedWord, ...]:
    """Words with one, `[card number]`, in place of those that say one; it lasts as long as they did."""
    bounds: list[tuple[int, int]] = []
    at = 0
    for word in words:
        bounds.append((at, at + len(word.text)))
        at += len(word.text) + 1
    spans = _spans(" ".join(word.text for word in words))
    kept: list[TimedWord] = []
    open_span: tuple[int, int] | None = None
    for word, (start, end) in zip(words, bounds, strict=True):
        span = next((span for span in spans if start < span[1] and end > span[0]), None)
        if span is None:
            kept.append(word)
        elif span == open_span:
            kept[-1] = TimedWord(REDACTED, kept[-1].start, word.end)
        else:
            kept.append(TimedWord(REDACTED, word.start, word.end))
        open_span = span
    return tuple(kept)


def redact_turn(record: TurnRecord) -> TurnRecord:
    """A turn without card numbers."""
    return replace(
        record,
        transcript=redact(record.transcript),
        answer=redact(record.answer),
        heard=redact(record.heard),
        caller_words=redact_words(record.caller_words),
        agent_words=redact_words(record.agent_words),
    )


def _spans(text: str) -> list[tuple[int, int]]:
    """Where card numbers are, in order."""
    return [span for run in _runs(text) if not _is_telephone(text, run) and (span := _card(run)) is not None]


def _is_telephone(text: str, run: Sequence[_Part]) -> bool:
    """Whether digits are a telephone number in international form (E.164: a plus and at most 15)."""
    before = text[: run[0].start].rstrip().casefold()
    return before.endswith(("+", "plus")) and sum(len(part.digits) for part in run) <= 15


def _card(run: Sequence[_Part]) -> tuple[int, int] | None:
    """Where in a run of digits there is a card number, with what follows it."""
    digits = "".join(part.digits for part in run)
    if SHORTEST <= len(digits) <= LONGEST and digits[0] != "0" and passes_luhn(digits):
        return run[0].start, run[-1].end
    # Other digits stand before or behind it. The first beginning that makes a card number is taken, and all from there
    # on goes: whichever of the possible numbers is the right one, nothing of it is left.
    for first in range(len(run)):
        begun = ""
        for part in run[first:]:
            begun += part.digits
            if len(begun) > LONGEST:
                break
            if len(begun) >= SHORTEST and _is_issued(begun) and passes_luhn(begun):
                return run[first].start, run[-1].end
    return None


def _is_issued(digits: str) -> bool:
    return any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in _ISSUED)


def _runs(text: str) -> Iterator[list[_Part]]:
    """The stretches of a text that consist of digits, however they are said; short ones are left out."""
    run: list[_Part] = []
    reached = 0
    for part in _parts(text):
        if run and not _joins(text[reached : part.start]):
            yield from _long_enough(run)
            run = []
        run.append(part)
        reached = part.end
    yield from _long_enough(run)


def _long_enough(run: list[_Part]) -> Iterator[list[_Part]]:
    if sum(len(part.digits) for part in run) >= SHORTEST:
        yield run


def _joins(between: str) -> bool:
    """Whether what stands between two digits leaves them one number."""
    words = _TOKEN.findall(between)
    return all(word.casefold() in _BETWEEN for word in words) and all(
        _GAP.fullmatch(gap) for gap in _TOKEN.split(between)
    )


def _parts(text: str) -> Iterator[_Part]:
    """Everything in a text that says digits, in order."""
    tokens = list(_TOKEN.finditer(text))
    place = 0
    while place < len(tokens):
        count, digits = _digits_at([token[0].casefold() for token in tokens[place : place + 2]])
        if digits:
            yield _Part(tokens[place].start(), tokens[place + count - 1].end(), digits)
        place += count


def _digits_at(words: Sequence[str]) -> tuple[int, str]:
    """How many words say digits together, and which; one word and "" where none does."""
    word, following = words[0], words[1] if len(words) > 1 else ""
    if word.isdecimal():
        return 1, "".join(str(int(sign)) for sign in word)
    if word in _TIMES:
        digit = following if following.isdecimal() and len(following) == 1 else _DIGIT_WORDS.get(following, "")
        return (2, digit * _TIMES[word]) if digit else (1, "")
    if word in _TENS_DIGITS:
        unit = _DIGIT_WORDS.get(following, "0")
        return (2, _TENS_DIGITS[word] + unit) if unit != "0" else (1, _TENS_DIGITS[word] + "0")
    return 1, _TEENS_DIGITS.get(word) or _DIGIT_WORDS.get(word, "")
