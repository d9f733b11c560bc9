"""TwiML: what Twilio is told to do with a call (twilio.com/docs/voice/twiml)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal
from xml.etree import ElementTree

CONTENT_TYPE: Final = "application/xml"

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2: Char


def connect_stream(url: str, parameters: Mapping[str, str]) -> str:
    """Open a two-way media stream to `url` (ws or wss, no query) with these custom parameters.

    When the stream ends the call ends: nothing follows `<Connect>`.
    """
    response = ElementTree.Element("Response")
    stream = ElementTree.SubElement(ElementTree.SubElement(response, "Connect"), "Stream", url=_clean(url))
    for name, value in parameters.items():
        ElementTree.SubElement(stream, "Parameter", name=_clean(name), value=_clean(value))
    return _document(response)


def say_and_hang_up(text: str, language: str = "en-US") -> str:
    """Speak `text` with Twilio's own voice (it takes at most 4096 characters), then hang up."""
    response = ElementTree.Element("Response")
    ElementTree.SubElement(response, "Say", language=_clean(language)).text = _clean(text)[:4096]
    ElementTree.SubElement(response, "Hangup")
    return _document(response)


def reject(reason: Literal["rejected", "busy"] = "rejected") -> str:
    """Do not take the call; the caller is not charged and hears an announcement or the busy tone."""
    response = ElementTree.Element("Response")
    ElementTree.SubElement(response, "Reject", reason=reason)
    return _document(response)


def _clean(text: str) -> str:
    """Without the characters that no XML document may hold, escaped or not."""
    return _NOT_XML.sub("", text)


def _document(response: ElementTree.Element) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(response, encoding="unicode")
