"""The XML documents that tell carriers what to do with a call."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

CONTENT_TYPE: Final = "application/xml"
MOST_SAID: Final = 4096
"""Characters that a carrier's own voice speaks at once."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2: Char


def clean(text: str) -> str:
    """Without the characters that no XML document may hold, escaped or not."""
    return _NOT_XML.sub("", text)


class Document:
    """A `<Response>`, written verb by verb."""

    def __init__(self) -> None:
        self._root = ElementTree.Element("Response")

    def add(self, verb: str, text: str = "", /, **attributes: str) -> Noun:
        """The next thing to do."""
        return Noun(self._root, verb, text, attributes)

    def __str__(self) -> str:
        return '<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(self._root, encoding="unicode")


class Noun:
    """An element of a document, which may have others in it."""

    def __init__(self, parent: ElementTree.Element, name: str, text: str, attributes: dict[str, str]) -> None:
        self._element = ElementTree.SubElement(
            parent, name, {key: clean(value) for key, value in attributes.items() if value}
        )
        self._element.text = clean(text)[:MOST_SAID] or None

    def add(self, name: str, text: str = "", /, **attributes: str) -> Noun:
        """Something in it."""
        return Noun(self._element, name, text, attributes)


def say_and_hang_up(verb: str, text: str, language: str) -> str:
    """Speak `text` (at most `MOST_SAID` characters) with the carrier's own voice, by this verb, then end the call."""
    document = Document()
    document.add(verb, text, language=language)
    document.add("Hangup")
    return str(document)


def hang_up() -> str:
    """End the call without a word."""
    document = Document()
    document.add("Hangup")
    return str(document)
