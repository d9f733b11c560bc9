"""Could these words be a finished turn? What the embedded language model expects next, and a few rules it cannot know.

The model continues a list of complete spoken turns, each on a line of its own; the probability that it would end
the caller's line here is that of sentence-final punctuation. Without the list, short answers ("Two people") scored
0.002; with it 0.9. Measured by `tests/bench/completion.py` on 90 finished and 90 unfinished turns of phone calls.
"""

from __future__ import annotations

import re
from typing import Protocol

LIKELY_COMPLETE = 0.30
"""At or above this, 95 of 100 finished turns are found and 1 of 100 unfinished ones is taken for finished."""
SURELY_INCOMPLETE = 0.05
"""Below this no finished turn was seen, and 93 of 100 unfinished ones."""

_LEAD = (
    "Things people say on the phone, each on a line of its own, with full punctuation.\n"
    "Yes.\nTwo people.\nCan I pay by card?\nI am calling about my order.\nTomorrow afternoon.\n"
)
_CHARACTERS_MAX = 600
_WORDS_MAX = 60
_FINAL = ".?!"
_HESITATING = 0.05
_UNFINISHED_WORD = 0.01
_SHORT_NUMBER = 0.03
_WHOLE_NUMBER = 0.50
_LONE_NUMBER = 0.35

_FILLER = re.compile(
    r"(?:[\s,.…-]*\b(?:u+h+m*|u+m+|e+rm?|hm+|mm+|you know|i mean|let me (?:think|see)|hold on|"
    r"how (?:do|shall) i (?:say|put) (?:it|this)|what was it)\b)+[\s,.…-]*$",
    re.IGNORECASE,
)
_FILLER_WITHIN = re.compile(r",?\s*\b(?:u+h+m*|u+m+|erm?|hm+)\b,?(?=\s)", re.IGNORECASE)
_BACKCHANNEL = re.compile(r"\b(?:uh|mm|mhm|m)[\s-]+(?:huh|hm+|uh)[\s.!]*$", re.IGNORECASE)
_UNFINISHED = re.compile(r"\b(?:and|or|because|the|a|an|my|your|their|if|whether|than)$", re.IGNORECASE)
_DIGIT = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
_GROUP = rf"(?:{_DIGIT}|(?:double|triple)[\s-]{_DIGIT}|[0-9]+)"
_DIGITS_AT_END = re.compile(rf"(?<![\w.:-]){_GROUP}(?:[\s,-]+{_GROUP})*$", re.IGNORECASE)
_PHONE = re.compile(r"\b(?:phone|telephone|mobile|cell|reach me|call me|my number)\b", re.IGNORECASE)
_PHONE_NUMBER_DIGITS = 7
_AREA_CODE_DIGITS = 3
_REPEATS = {"double": 2, "triple": 3}
_LONE = re.compile(
    rf"(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    rf"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[\s-]{_DIGIT}|[0-9]{{1,2}})",
    re.IGNORECASE,
)


class NextToken(Protocol):
    """What the judge needs of a language model (`media.language.llama.LlamaRuntime`)."""

    async def next_token(self, prompt: str, *, deadline: float, count: int = 60) -> dict[str, float]:
        """The most probable next tokens and their probabilities."""
        ...

    async def prime(self, prompt: str) -> None:
        """Evaluate the common beginning of prompts to come."""
        ...


class PunctuationJudge:
    """A `media.speech.protocols.CompletionJudge` on a language model. One instance serves all sessions.

    Judging the words while they come keeps their evaluation cached: the final judgement then costs its last words.
    """

    def __init__(self, model: NextToken) -> None:
        self._model = model

    async def probability(self, text: str, *, deadline: float) -> float:
        """The probability in [0, 1] that `text`, its last punctuation ignored, is complete; 0 for no words."""
        text = text[-_CHARACTERS_MAX:]
        words = bare(text)
        if not words:
            return 0.0
        verdict = _by_rule(text, words)
        if verdict is not None:
            return verdict
        tokens = await self._model.next_token(_LEAD + _tail(_FILLER_WITHIN.sub("", words).strip()), deadline=deadline)
        return _with_numbers(words, sum(p for token, p in tokens.items() if _ends_turn(token)))

    async def warm_up(self) -> None:
        """Have the model read what precedes every judgement, so that the first caller does not wait for it."""
        await self._model.prime(_LEAD)


def bare(text: str) -> str:
    """`text` without the punctuation and white space at its end."""
    return text.strip().rstrip(" .,;:!?…-–—\"'”’")


def _by_rule(text: str, words: str) -> float | None:
    """What can be told without the model: a hesitation or a word that never ends a turn."""
    if _BACKCHANNEL.search(text):
        return None
    if _FILLER.search(text):
        return _HESITATING
    return _UNFINISHED_WORD if _UNFINISHED.search(words) else None


def _with_numbers(words: str, probability: float) -> float:
    """Digits in a row: the model expects them to go on for ever; a phone number is whole at seven."""
    if _LONE.fullmatch(words):
        return max(probability, _LONE_NUMBER)
    run = _DIGITS_AT_END.search(words)
    if run is None:
        return probability
    phone = _PHONE.search(words[: run.start()])
    if phone is None and len(run.group().split()) == 1:
        return probability  # a time, a price, a number of people
    digits = _count_digits(run.group())
    if digits >= _PHONE_NUMBER_DIGITS:
        return max(probability, _WHOLE_NUMBER)
    if digits <= _AREA_CODE_DIGITS or phone is not None:
        return min(probability, _SHORT_NUMBER)
    return probability


def _count_digits(run: str) -> int:
    count = 0
    factor = 1
    for word in re.findall(r"[a-z]+|[0-9]+", run.lower()):
        if word in _REPEATS:
            factor = _REPEATS[word]
        else:
            count += factor * (len(word) if word.isdigit() else 1)
            factor = 1
    return count


def _ends_turn(token: str) -> bool:
    """Whether a next token ends the line; an ellipsis is a speaker who trails off."""
    mark = token.strip()
    return (mark[:1] in _FINAL and not mark.startswith("..")) if mark else "\n" in token


def _tail(words: str) -> str:
    """The last words of a long turn, from a sentence's beginning where there is one."""
    tail = words.split()[-_WORDS_MAX:]
    begin = max((i + 1 for i, word in enumerate(tail[:-1]) if word[-1] in _FINAL), default=0)
    return " ".join(tail[begin:] if len(tail) == _WORDS_MAX else tail)
