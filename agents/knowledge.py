"""What an agent knows: texts cut into passages and questions with their answers, found by meaning."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from agents.definition import AgentDefinition, AgentError
from agents.history import estimate_tokens
from media.language.embeddings import Embedder, Vectors

log = structlog.get_logger(__name__)

PASSAGE_CHARACTERS = 600
"""A passage is about this long: the embedding model reads 256 tokens, and a few of them fit into a prompt."""
RELEVANT = 0.25
"""Passages less similar to the question than this are not worth the model's attention."""
DIRECT = 0.58
"""From this similarity on, the answer of a known question is given word for word.

With the demo agent, of 33 questions it should know 28 lie above and none of them gets a wrong answer; of 19
it should not know, the closest reaches 0.56.
"""
NEARBY = 0.42
"""A question at least this similar to a known one is about the agent's business; if it is not answered directly, a
very small model would invent something."""
_FILE_BYTES_MAX = 5_000_000
_PASSAGES_MAX = 20_000
_HEADING = re.compile(r"^#{1,6}\s+(.*)$")
_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Passage:
    """What may help with an answer, and how similar it is to what was asked, in [-1, 1].

    Of a known question, `text` holds question and answer, and both stand alone too; else they are "".
    """

    text: str
    score: float
    question: str = ""
    answer: str = ""


class Knowledge:
    """An agent's knowledge, indexed. One instance serves all sessions of the agent; made by `build_knowledge`."""

    def __init__(
        self, embedder: Embedder, questions: Sequence[tuple[str, str]], passages: Sequence[str], vectors: Vectors
    ) -> None:
        if len(vectors) != len(questions) + len(passages):
            raise ValueError("every question and passage needs its vector")
        self._embedder = embedder
        self._questions = list(questions)
        self._passages = list(passages)
        self._vectors = vectors

    async def look_up(self, text: str, *, deadline: float, top: int, tokens: int) -> list[Passage]:
        """The best passages for `text`, best first, together at most `tokens` long; each answer only once."""
        if not len(self._vectors) or not text.strip():
            return []
        scores = self._vectors @ (await self._embedder.embed([text], deadline=deadline))[0]
        found: dict[str, Passage] = {}
        room = tokens
        for index in np.argsort(-scores):
            if scores[index] < RELEVANT or len(found) == top:
                break
            passage = self._passage(int(index), float(scores[index]))
            size = estimate_tokens(passage.text)
            if (passage.answer or passage.text) not in found and size <= room:
                found[passage.answer or passage.text] = passage
                room -= size
        return list(found.values())

    def _passage(self, index: int, score: float) -> Passage:
        if index >= len(self._questions):
            return Passage(self._passages[index - len(self._questions)], score)
        question, answer = self._questions[index]
        return Passage(f"{question} {answer}", score, question, answer)


async def build_knowledge(
    definition: AgentDefinition, embedder: Embedder, cache: Path, *, deadline: float
) -> Knowledge | None:
    """Index an agent's knowledge, or read the index from `cache` where neither texts nor model have changed.

    None where the agent has no knowledge. Raises `AgentError` for files that are missing, too large or no text.
    """
    questions = [(question, entry.answer) for entry in definition.knowledge.questions for question in entry.questions]
    passages = [passage for text in await asyncio.to_thread(_texts, definition) for passage in cut(text)]
    if not questions and not passages:
        return None
    if len(questions) + len(passages) > _PASSAGES_MAX:
        raise AgentError(
            f"agent {definition.name}: knowledge: more than {_PASSAGES_MAX} passages; leave some texts out"
        )
    texts = [question for question, _ in questions] + passages
    path = cache / f"{_fingerprint(embedder.name, texts)}.npy"
    vectors = await asyncio.to_thread(_read_index, path, len(texts))
    if vectors is None:
        log.info("indexing knowledge", agent=definition.name, passages=len(texts))
        vectors = await embedder.embed(texts, deadline=deadline)
        await asyncio.to_thread(_write_index, path, vectors)
    return Knowledge(embedder, questions, passages, vectors)


def cut(text: str) -> list[str]:
    """A text as passages of whole paragraphs, long ones at sentence ends; each led by the heading it stands under."""
    passages: list[str] = []
    heading, current = "", ""
    for block in re.split(r"\n\s*\n|\n(?=#{1,6}\s)", text.replace("\r\n", "\n")):
        lines = block.strip().split("\n")
        if match := _HEADING.match(lines[0]):
            passages.append(current)
            heading, current = match.group(1).strip(), ""
            lines = lines[1:]
        for part in _parts(" ".join(" ".join(lines).split())):
            if current and len(current) + len(part) > PASSAGE_CHARACTERS:
                passages.append(current)
                current = ""
            current = f"{current} {part}" if current else f"{heading}: {part}" if heading else part
    passages.append(current)
    return [passage for passage in passages if passage]


def _parts(paragraph: str) -> list[str]:
    """A paragraph as pieces of at most the passage length, cut at sentence ends, else at spaces."""
    parts: list[str] = []
    while len(paragraph) > PASSAGE_CHARACTERS:
        window = paragraph[:PASSAGE_CHARACTERS]
        end = max(window.rfind(mark) for mark in (". ", "? ", "! "))
        end = end + 1 if end > 0 else window.rfind(" ")
        end = end if end > 0 else PASSAGE_CHARACTERS
        parts.append(paragraph[:end].strip())
        paragraph = paragraph[end:].strip()
    return [*parts, paragraph] if paragraph else parts


def _texts(definition: AgentDefinition) -> list[str]:
    texts = list(definition.knowledge.texts)
    for path in definition.knowledge_files():
        try:
            if path.stat().st_size > _FILE_BYTES_MAX:
                raise AgentError(f"agent {definition.name}: knowledge.paths: {path} is larger than 5 MB; split it")
            texts.append(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise AgentError(f"agent {definition.name}: knowledge.paths: {path} cannot be read: {error}") from error
    return texts


def _fingerprint(model: str, texts: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for text in (_VERSION, model, *texts):
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()[:32]


def _read_index(path: Path, count: int) -> Vectors | None:
    """The stored vectors, None if there are none that fit: the index is only a cache."""
    try:
        vectors: Vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == count and vectors.dtype == np.float32 else None


def _write_index(path: Path, vectors: Vectors) -> None:
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.save(file, vectors)
        partial.replace(path)
    except OSError as error:
        log.warning("knowledge index not stored", path=str(path), reason=str(error))
    finally:
        partial.unlink(missing_ok=True)
