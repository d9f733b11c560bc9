"""What a prompt is about and what it states, found without a language model: for scripts a small one cannot be trusted
to write alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LONGEST_TOPIC = 90
_SENTENCE = re.compile(r"[^.!?…।]+(?:[.!?…।]+(?=\s|$)|$|[.!?…।]+\S[^.!?…।]*)+")

# "Create a 30 second product review video about": an order, the thing ordered, and the word that opens its subject
_ORDERS: Final = {
    "en": r"(?:please\s+)?(?:create|make|write|generate|produce|film|record|give|show|i\s+(?:want|need))\b.{0,70}?"
    r"\b(?:about|on|for|introducing|presenting|promoting|explaining|announcing|reviewing|called|of)\b"
    r"|(?:please\s+)?(?:explain|describe|introduce|present|promote|announce|review|tell\s+(?:people|viewers|us)\s+about)\b",
    "es": r"(?:por\s+favor\s+)?(?:crea|haz|escribe|genera|produce|graba|quiero|necesito)\b.{0,70}?"
    r"\b(?:sobre|acerca\s+de|para|que\s+presente|presentando|de)\b",
    "fr": r"(?:s'il\s+vous\s+plaît\s+)?(?:crée[rz]?|fais|faites|écri[st]|écrivez|génère[rz]?|je\s+veux)\b.{0,70}?"
    r"\b(?:sur|à\s+propos\s+de|pour|présentant|au\s+sujet\s+de)\b",
    "it": r"(?:per\s+favore\s+)?(?:crea|fai|scrivi|genera|produci|registra|voglio)\b.{0,70}?"
    r"\b(?:su|sul|sulla|riguardo\s+a|per|che\s+presenta|di)\b",
    "pt": r"(?:por\s+favor\s+)?(?:cri[ae]|faça|escreva|gere|produza|grave|quero|preciso)\b.{0,70}?"
    r"\b(?:sobre|a\s+respeito\s+de|para|apresentando|de)\b",
}
_MENTIONS: Final = {
    "en": r"(?:please\s+)?(?:mention|say|explain|include|tell\s+(?:people|viewers|them)|note|point\s+out)\s+that\s+",
    "es": r"(?:menciona|di|explica|incluye)\s+que\s+",
    "fr": r"(?:mentionne[rz]?|dis|dites|explique[rz]?)\s+que\s+",
    "it": r"(?:menziona|di['’]|spiega|includi)\s+che\s+",
    "pt": r"(?:mencione|diga|explique|inclua)\s+que\s+",
}
_DIRECTIONS: Final = {
    "en": r"(?:please\s+)?(?:use|keep|make|write|create|include|add|mention|speak|avoid|target|the\s+tone|tone|style|"
    r"length|the\s+video|it\s+should|do\s+not|don['’]t|end\s+with|start\s+with|be)\b",
    "es": r"(?:usa|mantén|haz|escribe|incluye|añade|menciona|habla|evita|el\s+tono|tono|estilo|el\s+video|debe|no)\b",
    "fr": r"(?:utilise|garde|fais|écris|inclus|ajoute|mentionne|parle|évite|le\s+ton|ton|style|la\s+vidéo|ne)\b",
    "it": r"(?:usa|mantieni|fai|scrivi|includi|aggiungi|menziona|parla|evita|il\s+tono|tono|stile|il\s+video|non)\b",
    "pt": r"(?:use|mantenha|faça|escreva|inclua|adicione|mencione|fale|evite|o\s+tom|tom|estilo|o\s+vídeo|não)\b",
}


@dataclass(frozen=True, slots=True)
class Topic:
    """`name`: what it is about, as it can stand in a sentence. `facts`: whole sentences the prompt states."""

    name: str
    facts: tuple[str, ...] = ()


def topic_of(prompt: str, language: str) -> Topic:
    """The topic of a prompt in `language` (ISO 639-1); never empty for a prompt with a word in it."""
    sentences = [" ".join(part.split()) for part in _SENTENCE.findall(prompt)]
    sentences = [part for part in sentences if re.search(r"\w", part)]
    if not sentences:
        return Topic(" ".join(prompt.split()))
    first, *rest = sentences
    order = re.match(_ORDERS.get(language, r"(?!)"), first, re.IGNORECASE)
    name = first[order.end() :] if order else first
    if order and not _noun(name):
        name = (
            order[0].split(maxsplit=1)[-1].rsplit(" ", 1)[0]
        )  # "a product review" of "Create a product review about…"
    facts = [] if order or len(sentences) == 1 else [_sentence(first)]
    for part in rest:
        if mention := re.match(_MENTIONS.get(language, r"(?!)"), part, re.IGNORECASE):
            facts.append(_sentence(part[mention.end() :]))
        elif not re.match(_DIRECTIONS.get(language, r"(?!)"), part, re.IGNORECASE):
            facts.append(_sentence(part))
    return Topic(_noun(name) or _noun(first), tuple(facts))


def _noun(text: str) -> str:
    """The text as a name within a sentence: no end mark, no quotes around it, cut at a word."""
    text = text.strip(" \t.!?…।:,;-–—\"'“”‘’«»")
    if len(text) <= _LONGEST_TOPIC:
        return text
    clause = re.split(r"[,;:–—]\s", text, maxsplit=1)[0]
    return clause if len(clause) <= _LONGEST_TOPIC else text[:_LONGEST_TOPIC].rsplit(" ", 1)[0]


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…", "।")) else text + "."
