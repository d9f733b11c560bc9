"""What an agent knows, found by a model that counts words."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.definition import AgentDefinition, AgentError
from agents.knowledge import PASSAGE_CHARACTERS, Knowledge, build_knowledge, cut
from media.language.embeddings import Vectors


class WordCounts:
    """An `Embedder` whose similarity is the share of common words."""

    def __init__(self, name: str = "words") -> None:
        self.name = name
        self.embedded: list[str] = []

    async def embed(self, texts: Sequence[str], *, deadline: float) -> Vectors:
        self.embedded += texts
        vectors = np.zeros((len(texts), 512), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, zlib.crc32(word.encode()) % 512] += 1
        unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return unit


def agent(folder: Path = Path(), **knowledge: Any) -> AgentDefinition:
    return AgentDefinition(name="Ada", system_prompt="x", knowledge=knowledge, folder=folder)  # type: ignore[arg-type]


HOURS = {"questions": ["When do you close?", "What are your hours?"], "answer": "At ten."}
PARKING = {"questions": ["Is there parking?"], "answer": "Behind the house."}


async def built(definition: AgentDefinition, cache: Path, embedder: WordCounts | None = None) -> Knowledge:
    knowledge = await build_knowledge(definition, embedder or WordCounts(), cache, deadline=0)
    assert knowledge is not None
    return knowledge


async def test_a_known_question_is_found_with_its_answer(tmp_path: Path) -> None:
    knowledge = await built(agent(questions=[HOURS, PARKING]), tmp_path)
    best = (await knowledge.look_up("when do you close", deadline=0, top=3, tokens=100))[0]
    assert (best.question, best.answer) == ("When do you close?", "At ten.")
    assert best.score == pytest.approx(1.0, abs=1e-5)


async def test_each_answer_comes_only_once(tmp_path: Path) -> None:
    knowledge = await built(agent(questions=[HOURS, PARKING]), tmp_path)
    found = await knowledge.look_up("what do you close your hours", deadline=0, top=3, tokens=100)
    assert [passage.answer for passage in found] == ["At ten."]


async def test_texts_are_found_within_the_tokens_allowed(tmp_path: Path) -> None:
    (tmp_path / "menu.md").write_text("# Pasta\n\nTagliatelle with ragù.\n\n# Dogs\n\nDogs are welcome here.\n")
    knowledge = await built(agent(tmp_path, paths=["menu.md"], texts=["We have wine from Sicily."]), tmp_path)
    found = await knowledge.look_up("are dogs welcome", deadline=0, top=3, tokens=100)
    assert [passage.text for passage in found] == ["Dogs: Dogs are welcome here."]
    assert await knowledge.look_up("are dogs welcome", deadline=0, top=3, tokens=2) == []
    assert await knowledge.look_up("quantum physics", deadline=0, top=3, tokens=100) == []
    assert await knowledge.look_up("  ", deadline=0, top=3, tokens=100) == []


async def test_an_unchanged_index_is_read_from_disk(tmp_path: Path) -> None:
    first, second = WordCounts(), WordCounts()
    await built(agent(questions=[HOURS]), tmp_path, first)
    knowledge = await built(agent(questions=[HOURS]), tmp_path, second)
    assert (len(first.embedded), second.embedded) == (2, [])
    assert await knowledge.look_up("When do you close?", deadline=0, top=1, tokens=100)


async def test_a_changed_text_or_model_is_indexed_anew(tmp_path: Path) -> None:
    await built(agent(questions=[HOURS]), tmp_path)
    for changed, embedder in (
        (agent(questions=[PARKING]), WordCounts()),
        (agent(questions=[HOURS]), WordCounts("other")),
    ):
        await built(changed, tmp_path, embedder)
        assert embedder.embedded


async def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    await built(agent(questions=[HOURS]), tmp_path)
    for file in tmp_path.glob("*.npy"):
        file.write_bytes(b"\x93NUMPY garbage")
    embedder = WordCounts()
    await built(agent(questions=[HOURS]), tmp_path, embedder)
    assert embedder.embedded


async def test_nothing_known_is_no_knowledge(tmp_path: Path) -> None:
    assert await build_knowledge(agent(), WordCounts(), tmp_path, deadline=0) is None


async def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AgentError, match=r"x\.txt cannot be read"):
        await build_knowledge(agent(tmp_path, paths=["x.txt"]), WordCounts(), tmp_path, deadline=0)


def test_passages_keep_their_heading() -> None:
    assert cut("# Hours\nWe close at ten.\n\nThe kitchen at nine.\n## Wine\nRed.") == [
        "Hours: We close at ten. The kitchen at nine.",
        "Wine: Red.",
    ]


@given(
    st.text(max_size=3000)
    | st.lists(st.sampled_from(["Word. ", "word ", "\n\n", "# H\n", "x" * 700]), max_size=80).map("".join)
)
def test_no_word_is_lost_and_no_passage_too_long(text: str) -> None:
    passages = cut(text)
    assert all(passages)
    assert all(len(passage) <= 2 * PASSAGE_CHARACTERS + 10 for passage in passages if not passage.startswith("#"))
    body = re.sub(r"(?m)^#{1,6}\s+.*$", " ", text.replace("\r\n", "\n"))
    for word in re.findall(r"[a-z]{2,20}", body):
        assert any(word in passage for passage in passages)
