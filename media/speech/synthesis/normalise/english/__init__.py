"""How English is read: the rules in the order in which they are tried, from the particular to the plain."""

from __future__ import annotations

from media.speech.synthesis.normalise.english import (
    abbreviations,
    acronyms,
    calendar,
    contacts,
    identifiers,
    numbers,
    quantities,
    symbols,
)
from media.speech.synthesis.normalise.tokens import Rule

RULES: tuple[Rule, ...] = (
    *contacts.RULES,
    *calendar.RULES,
    *numbers.DECADES,
    *quantities.RULES,
    *numbers.SCALED,
    *identifiers.RULES,
    *numbers.RULES,
    *abbreviations.RULES,
    *acronyms.RULES,
    *symbols.RULES,
)
