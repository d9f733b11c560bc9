"""TwiML as a carrier reads it: verbs in order, with their attributes, texts and nouns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

VERBS = frozenset({"Connect", "Dial", "Hangup", "Pause", "Play", "Redirect", "Reject", "Say"})


class NotTwiml(Exception):
    """The answer cannot be obeyed; Twilio ends such a call with an application error."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One instruction."""

    name: str
    attributes: Mapping[str, str]
    text: str
    nouns: tuple[Verb, ...] = ()

    def noun(self, name: str) -> Verb | None:
        """The first noun of this name."""
        return next((noun for noun in self.nouns if noun.name == name), None)


def read(document: str) -> list[Verb]:
    """The verbs of a response. Raises `NotTwiml`."""
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise NotTwiml(f"12100 document parse failure: {error}") from None
    if root.tag != "Response":
        raise NotTwiml(f"12200 schema: the root is {root.tag}")
    verbs = [_verb(element) for element in root]
    if unknown := [verb.name for verb in verbs if verb.name not in VERBS]:
        raise NotTwiml(f"12200 schema: no verbs: {unknown}")
    return verbs


def _verb(element: ElementTree.Element) -> Verb:
    text = (element.text or "").strip()
    return Verb(element.tag, dict(element.attrib), text, tuple(_verb(child) for child in element))
