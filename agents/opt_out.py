"""Whether somebody says that they do not want to be called again.

The law wants it to be heeded however it is put (in the United States 47 CFR 64.1200(a)(10): "any reasonable method").
The model has a tool for it; this is for the plain words that must never be missed, whatever the model makes of them.
It looks at confirmed turns only and errs towards the model's judgement: what sets a condition ("don't call me before
six"), names somebody ("don't call me Bob") or denies it ("I didn't say stop calling me") is left to the model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from agents.conversation.words import normalise_words

_CLAUSE = re.compile(r"[.!?;:,…\n]+|\s[-–—]+\s")


@dataclass(frozen=True, slots=True)
class _Request:
    """A way to ask for it, over normalised words of one clause.

    `whole`: what follows it must be nothing, or the beginning of something new; else anything may follow but a
    condition. `deniable`: words before it can turn it into the opposite.
    """

    pattern: re.Pattern[str]
    whole: bool = True
    deniable: bool = True


def _request(pattern: str, *, whole: bool = True, deniable: bool = True) -> _Request:
    return _Request(re.compile(rf"\b(?:{pattern})(?= |$)"), whole, deniable)


_CALL = r"(?:call|phone|ring|telephone|contact|dial|text|bother|disturb)"
_CALLING = r"(?:calling|phoning|ringing|telephoning|contacting|dialing|dialling|texting|bothering|harassing)"
_NUMBER = r"(?:(?:phone|telephone|cell|mobile|home|work) )?(?:number|phone|line)"
_ME = (
    rf"(?:me|us|here|(?:this|my|our) (?:{_NUMBER}|house|home)|(?:on|at) (?:this|my|our) {_NUMBER}"
    rf"|(?:me|us) (?:on|at) (?:this|my|our) {_NUMBER})"
)
_AGAIN = r"(?:ever again|again|any more|anymore|no more|any longer|in (?:the )?future|ever|at all|for any reason)"
_NOT = r"(?:(?:please )?(?:dont|do not|never|no longer)(?: you)?(?: please)?(?: ever| dare)?(?: to)?)"
_LIST = (
    r"(?:your|the|this|that|all|any|all your|any of your|all of your)"
    r"(?: \w+ing| call| phone| contact| sales| customer)?"
    r" (?:list|lists|database|databases|system|systems|records|files|directory)"
)
_NO_SUCH_LIST = re.compile(r"\b(?:waiting|booking|seating|shopping|packing|operating|rating|wedding) (?:list|system)")
_MINE = r"(?:me|us|(?:my|our|this) (?:(?:phone|telephone|cell|mobile|home|work) )?(?:number|name|details))"
_REMOVE = r"(?:take|remove|delete|get|cross|strike|scratch|erase|drop|block|blacklist)"
_FROM_YOU = r"(?: from (?:you|anyone|anybody|your company|you (?:guys|people)))?(?: like (?:this|these))?"
_REGISTER = r"(?:do not|dont|no) call(?: (?:list|registry|register))?"

_ENGLISH = (
    _request(rf"{_NOT} {_CALL}(?: {_ME})? (?:back )?{_AGAIN}", whole=False),
    _request(rf"{_NOT} {_CALL} {_ME}"),
    _request(rf"(?:dont|do not|never) {_CALL}"),
    _request(rf"not to {_CALL}(?: {_ME})?(?: {_AGAIN})?"),
    _request(rf"(?:stop|quit|cease) {_CALLING}(?: {_ME}|(?! you))"),
    _request(rf"(?:stop|quit|cease) {_CALLING}(?: {_ME})? {_AGAIN}", whole=False),
    _request(r"(?:stop|quit|cease) (?:the|these|those|your|all|all these|all the|with the) (?:phone )?calls"),
    _request(rf"(?:if|unless) you (?:dont |do not |wont )?(?:stop|quit) {_CALLING}", deniable=False, whole=False),
    _request(
        r"(?:dont|do not) (?:want|wish|need|like)(?: to (?:get|receive|have))?(?: any)?(?: more)?(?: of)?"
        rf"(?: your| these| such| those)?(?: sales| phone| marketing)? calls{_FROM_YOU}(?: {_AGAIN})?",
        deniable=False,
    ),
    _request(rf"(?:dont|do not|never) (?:want|wish)(?: to be) (?:called|phoned|contacted|rung|bothered)(?: {_AGAIN})?"),
    _request(
        rf"(?:dont|do not|never) want (?:you|anyone|anybody|any of you|your company)(?: guys| people)? "
        rf"(?:(?:to|ever) (?:{_CALL}|keep {_CALLING})|{_CALLING}) {_ME}(?: {_AGAIN})?"
    ),
    _request(rf"no more (?:phone |sales |marketing )?calls{_FROM_YOU}"),
    _request(rf"(?:cant|cannot|may not|must not) {_CALL} {_ME} {_AGAIN}", whole=False, deniable=False),
    _request(rf"last time (?:that )?you(?: ever)? {_CALL} {_ME}"),
    _request(r"(?:revoke|withdraw) my consent"),
    _request(rf"want (?:to (?:be|get) )?(?:off|off of|out of) {_LIST}"),
    _request(rf"(?:be|get|am|been) (?:taken off|removed from|deleted from|struck off) {_LIST}"),
    _request(rf"{_REMOVE} {_MINE} (?:off|off of|from|out of) {_LIST}"),
    _request(rf"{_MINE} (?:taken )?(?:off|off of|removed from|deleted from) {_LIST}"),
    _request(rf"(?:remove|delete|erase|lose|forget|block|blacklist) (?:my|our|this) {_NUMBER}"),
    _request(rf"take (?:my|our|this) {_NUMBER} off"),
    _request(rf"(?:put|add|place) {_MINE} (?:on|onto|to) (?:your|the|a)(?: (?:internal|national))? {_REGISTER}"),
    _request(rf"(?:im|i am|we are|were|number is) on (?:the|a|your)(?: (?:national|federal))? {_REGISTER}"),
    _request(
        r"(?:unsubscribe|opt)(?: me)?(?: out)?(?: (?:of|from) (?:all|the|these|your|any)(?: \w+)? ?(?:calls|lists?))?"
    ),
    _request(r"leave (?:me|us) alone"),
)
_DENIALS = frozenset(
    {"dont", "didnt", "not", "never", "cant", "wont", "wouldnt", "shouldnt", "doesnt", "without", "why", "did", "does"}
    | {"if", "unless", "when", "how", "whether", "what"}
)
_SUBJECTS = frozenset({"i", "you", "we", "they", "he", "she", "people", "who", "that", "friends", "customers"})
_TELLING = frozenset({"told", "tell", "telling", "asked", "ask", "asking", "said", "say", "warned", "begging", "beg"})
_OTHERS_SAY = frozenset({"he", "she", "they", "him", "her", "them", "me", "us", "was", "were", "doctor", "boss"})
_ASKED_OF_ONESELF = frozenset({"do i", "do we", "should i", "should we", "must i"})
_ASKING = frozenset({"can", "could", "would", "will", "want", "need", "should", "must", "wish"})
_AFTERWARDS = frozenset(
    {"i", "im", "ive", "id", "ill", "its", "we", "weve", "thank", "thanks", "and", "or", "but", "because", "you"}
    | {"youre", "goodbye", "bye", "okay", "ok", "please", "sir", "maam", "man", "alright", "now", "already", "no"}
    | {"not", "never", "immediately", "period", "will", "would", "could", "can", "right", "take", "remove", "seriously"}
)
"""What may follow a request without a pause that the recogniser heard: something new begins."""
_CONDITIONS = frozenset(
    {"before", "until", "till", "after", "today", "tonight", "tomorrow", "this", "when", "while", "unless", "if", "so"}
    | {"during", "between", "later", "early", "next", "by", "within", "as", "monday", "tuesday", "wednesday", "late"}
    | {"thursday", "friday", "saturday", "sunday", "weekends", "except", "without", "unannounced"}
)
"""What makes a request one for a time or a way only."""
_BEFORE = 4
"""Words before a request that are looked at."""

_OTHERS: Mapping[str, tuple[str, ...]] = {
    "de": (
        r"(?:rufen sie|ruf|ruft) (?:mich|uns|hier) (?:bitte )?(?:nicht mehr|nie wieder|nie mehr)(?: wieder)? an",
        r"nicht mehr (?:von ihnen )?(?:angerufen|anrufen|kontaktiert)",
        r"h(?:ö|oe)ren sie (?:bitte )?auf (?:mich|hier|uns) anzurufen",
        r"(?:nehmen|streichen|l(?:ö|oe)schen|entfernen) sie (?:mich|meine nummer) (?:bitte )?(?:von|aus) \w+ "
        r"\w*(?:liste|datenbank|kartei)",
    ),
    "es": (
        r"no (?:me|nos) (?:llames?|llamen|llaméis|contacten?) (?:nunca )?m[aá]s",
        r"(?:no (?:me |nos )?vuelva[ns]? a llamar(?:me|nos)?|dejen? de llamar(?:me|nos))",
        r"(?:qu[ií]t|b[oó]rr|elim[ií]n|s[aá]qu)\w*(?: mi número)? de (?:su|la|esa|esta|vuestra) (?:lista|base)",
    ),
    "fr": (
        r"(?:ne )?(?:mappel|me rappel|nous appel)(?:ez|le|les)(?: jamais)? (?:plus|plus jamais)",
        r"(?:arrêtez|cessez) de (?:mappeler|me rappeler|nous appeler)",
        r"(?:retirez|enlevez|supprimez|effacez|rayez)(?: moi)?(?: mon numéro)? de (?:votre|vos|la|cette) "
        r"(?:listes?|fichiers?|base)",
    ),
    "it": (
        r"non (?:mi |ci )?(?:ri)?chiam(?:i|ate|are|atemi|armi|ateci)(?: mai)? più",
        r"(?:smett|la finisc|la piant)\w*(?: subito)? di (?:chiamarmi|telefonarmi|chiamarci)",
        r"(?:tol|cancell|elimin|rimuov)\w*(?: il mio numero)? (?:dalla|dalle|dai) "
        r"(?:vostra|sua|vostre|vostri|lista)",
    ),
}
_OTHER_REQUESTS = {code: re.compile(rf"\b(?:{'|'.join(forms)})\b") for code, forms in _OTHERS.items()}
LANGUAGES = frozenset({"en", *_OTHERS})
"""The languages whose plain words are known, ISO 639-1."""


def asks_not_to_be_called(text: str, language: str | None = None) -> bool:
    """Whether a turn asks plainly not to be called again. `language`: ISO 639-1, None where it is not known.

    In a language that is not in `LANGUAGES`, and where none is known, every language's words are looked for.
    """
    chosen = LANGUAGES if language not in LANGUAGES else {language}
    if "en" in chosen and any(_asks(clause) for clause in _clauses(text)):
        return True
    words = normalise_words(text)
    return any(_OTHER_REQUESTS[code].search(words) for code in chosen - {"en"})


def _clauses(text: str) -> list[str]:
    """The text between its marks, normalised."""
    return [words for part in _CLAUSE.split(text) if (words := normalise_words(part))]


def _asks(clause: str) -> bool:
    return any(
        _is_meant(request, clause[: found.start()].split(), clause[found.start() : found.end()])
        and _is_unconditional(request, clause[found.end() :].split())
        for request in _ENGLISH
        for found in request.pattern.finditer(clause)
    )


def _is_meant(request: _Request, before: list[str], words: str) -> bool:
    """Whether it is asked of us: neither denied nor told of somebody ("they never call me")."""
    if _NO_SUCH_LIST.search(words):
        return False
    if not request.deniable:
        return True
    near = before[-_BEFORE:]
    if any(" ".join(pair) in _ASKED_OF_ONESELF for pair in pairwise(near)):
        return False
    if _TELLING.intersection(near) and not _DENIALS.intersection(near):
        return not _OTHERS_SAY.intersection(near)
    own = bool({"want", "wish", "consent"}.intersection(words.split()))  # "I do not want …" says it of oneself
    asked = near[-2:-1] and near[-2] in _ASKING  # "can you …"
    if near and near[-1] in _SUBJECTS and not own and not asked:
        return False
    return not _DENIALS.intersection(near)


def _is_unconditional(request: _Request, after: list[str]) -> bool:
    """Whether no condition follows ("before six", "Bob")."""
    rest = _without_marks(after)
    if not rest:
        return True
    if request.whole:
        return rest[0] in _AFTERWARDS
    return rest[0] not in _CONDITIONS and rest[:2] not in (["on", "a"], ["at", "night"], ["in", "the"])


def _without_marks(words: list[str]) -> list[str]:
    """What is left behind "again", "at all" and the like."""
    text = " ".join(words)
    found = re.match(rf"(?:{_AGAIN})(?: |$)", text)
    return (text[found.end() :] if found else text).split()
