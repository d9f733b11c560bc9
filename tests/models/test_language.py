"""The embedded language models with their real weights: llama.cpp, the completion judge, MiniLM, the demo agent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from agents.definition import AgentDefinition, load_agents
from agents.dialogue import Dialogue, Done, Say, dialogue_for
from agents.knowledge import Knowledge, build_knowledge
from agents.llm.embedded import EmbeddedChat
from agents.llm.protocol import ChatError, Message, TextDelta, Usage
from media.language.completion import LIKELY_COMPLETE, SURELY_INCOMPLETE, PunctuationJudge
from media.language.embeddings import LocalEmbedder, MiniLm
from media.language.errors import GenerationFailed, PromptTooLong, WeightsUnusable
from media.language.llama import LlamaRuntime, TokenCount, embedded_weights
from media.models import model_dir
from tests.media.language.turns import FINISHED, UNFINISHED

pytestmark = pytest.mark.models

ROOT = Path(__file__).parents[2]
HELLO = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def runtime() -> Iterator[LlamaRuntime]:
    made = LlamaRuntime(embedded_weights(), context=2048, chats=2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def embedder() -> Iterator[LocalEmbedder]:
    made = LocalEmbedder()
    yield made
    made.close()


async def chat(runtime: LlamaRuntime, prompt: list[dict[str, str]], tokens: int = 12) -> tuple[str, TokenCount]:
    """The answer and its final token count."""
    items = [item async for item in runtime.chat(prompt, max_tokens=tokens, sampling={"temperature": 0.0})]
    assert isinstance(items[-1], TokenCount)
    return "".join(item for item in items if isinstance(item, str)), items[-1]


async def test_an_answer_streams_with_its_tokens_counted(runtime: LlamaRuntime) -> None:
    text, count = await chat(runtime, HELLO)
    assert text.strip()
    assert 1 <= count.completion <= 12
    assert count.prompt > 10


async def test_what_was_evaluated_before_is_not_evaluated_again(runtime: LlamaRuntime) -> None:
    first, _ = await chat(runtime, HELLO)
    longer = [*HELLO, {"role": "assistant", "content": first}, {"role": "user", "content": "And goodbye."}]
    _, count = await chat(runtime, longer)
    assert count.cached >= 20
    _, again = await chat(runtime, longer)
    assert again.cached >= again.prompt - 1


async def test_sessions_are_answered_side_by_side(runtime: LlamaRuntime) -> None:
    questions = [
        [{"role": "user", "content": f"What is the capital of {place}?"}] for place in ("France", "Italy", "Spain")
    ]
    answers = await asyncio.gather(*(chat(runtime, question, 24) for question in questions))
    assert len({text for text, _ in answers}) == 3
    assert all(count.prompt > 10 for _, count in answers)


async def test_an_answer_can_be_closed_at_any_moment(runtime: LlamaRuntime) -> None:
    async with aclosing(runtime.chat(HELLO, max_tokens=500)) as items:
        await anext(items)
    task = asyncio.ensure_future(chat(runtime, [{"role": "user", "content": "word " * 800}]))
    await asyncio.sleep(0)
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    text, _ = await chat(runtime, HELLO)
    assert text


async def test_a_prompt_that_does_not_fit_is_refused(runtime: LlamaRuntime) -> None:
    with pytest.raises(PromptTooLong):
        await chat(runtime, [{"role": "user", "content": "hello " * 4000}])
    with pytest.raises(PromptTooLong):
        await runtime.next_token("hello " * 4000, deadline=0)


async def test_next_tokens_are_probabilities(runtime: LlamaRuntime) -> None:
    tokens = await runtime.next_token("The capital of France is", deadline=0, count=20)
    assert len(tokens) == 20
    assert 0.5 < sum(tokens.values()) <= 1.0 + 1e-6
    assert max(tokens, key=lambda token: tokens[token]) == " Paris"


async def test_closing_ends_running_answers_and_refuses_new_ones() -> None:
    runtime = LlamaRuntime(embedded_weights(), context=512, chats=1)
    stream = runtime.chat(HELLO, max_tokens=500)
    await anext(stream)
    await asyncio.to_thread(runtime.close, 10.0)
    with pytest.raises(GenerationFailed):
        async for _ in stream:
            pass
    with pytest.raises(Exception, match=r"completion|closed"):
        await runtime.next_token("Hello", deadline=0)
    runtime.close()


async def test_a_runtime_for_judging_only_refuses_to_chat() -> None:
    runtime = LlamaRuntime(embedded_weights(), context=256, chats=0)
    assert await runtime.next_token("Hello", deadline=0)
    with pytest.raises(GenerationFailed, match="without chat slots"):
        await chat(runtime, HELLO)
    runtime.close()


def test_what_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF but not really")
    with pytest.raises(WeightsUnusable, match=r"x\.gguf"):
        LlamaRuntime(tmp_path / "x.gguf")


SCRIPT = """
import asyncio
from media.language.llama import LlamaRuntime, embedded_weights
async def main():
    runtime = LlamaRuntime(embedded_weights(), context=512, chats=1)
    async for _ in runtime.chat([{"role": "user", "content": "Tell me a story."}], max_tokens=200):
        break
    if CLOSE:
        runtime.close()
    print("done", flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize("close", [True, False])
def test_a_process_ends_by_itself_and_prints_nothing_of_llama(close: bool) -> None:
    script = SCRIPT.replace("CLOSE", str(close))
    result = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")


async def test_the_judge_tells_finished_turns_from_unfinished_ones(runtime: LlamaRuntime) -> None:
    judge = PunctuationJudge(runtime)
    finished = [await judge.probability(turn, deadline=0) for turn in FINISHED]
    unfinished = [await judge.probability(turn, deadline=0) for turn in UNFINISHED]
    above = np.array(finished)[:, None] > np.array(unfinished)[None, :]
    assert above.mean() >= 0.99
    assert np.mean(np.array(finished) >= LIKELY_COMPLETE) >= 0.9
    assert np.mean(np.array(unfinished) >= LIKELY_COMPLETE) <= 0.03
    assert np.mean(np.array(finished) < SURELY_INCOMPLETE) == 0
    assert np.mean(np.array(unfinished) < SURELY_INCOMPLETE) >= 0.8


def test_embeddings_are_those_of_the_reference_implementation() -> None:
    """The examples and values of sentence-transformers' own documentation of this model."""
    model = MiniLm(model_dir("minilm"))
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = model.embed(texts)
    expected = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert np.allclose(vectors @ vectors.T, expected, atol=1e-4)
    assert np.allclose(model.embed(texts[:1]), vectors[:1], atol=1e-5)
    assert model.embed([]).shape == (0, 384)
    assert model.embed(["", "x " * 5000]).shape == (2, 384)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    for file in ("config.json", "tokenizer.json"):
        (tmp_path / file).write_bytes((model_dir("minilm") / file).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(WeightsUnusable, match=r"model\.safetensors"):
        MiniLm(tmp_path)


@pytest.fixture(scope="module")
def demo() -> AgentDefinition:
    return load_agents(ROOT / "configs" / "agents")["demo"]


async def known(demo: AgentDefinition, embedder: LocalEmbedder, cache: Path) -> Knowledge:
    knowledge = await build_knowledge(demo, embedder, cache, deadline=0)
    assert knowledge is not None
    return knowledge


async def said(dialogue: Dialogue, text: str, turn: int) -> tuple[str, Done]:
    committed = asyncio.Event()
    committed.set()
    pieces = [piece async for piece in dialogue.answer(text, turn_id=turn, committed=committed)]
    answer = "".join(piece.text for piece in pieces if isinstance(piece, Say)).strip()
    dialogue.commit(turn, text)
    dialogue.heard(turn, answer, interrupted=False)
    assert isinstance(pieces[-1], Done)
    return answer, pieces[-1]


ANSWERS = {
    "open_hours.wav": "ten",
    "book_table.wav": "name",
    "name.wav": "phone number",
    "vegetarian.wav": "aubergine",
    "thanks.wav": "goodbye",
    "phone_number.wav": "number",
    "uh_huh.wav": "else",
    "stop.wav": "mean",
    "hesitation.wav": "name",
}


async def test_the_demo_agent_answers_our_callers_sensibly_with_the_embedded_model(
    demo: AgentDefinition, embedder: LocalEmbedder, runtime: LlamaRuntime, tmp_path: Path
) -> None:
    knowledge = await known(demo, embedder, tmp_path)
    dialogue = dialogue_for(demo, EmbeddedChat(runtime), tools={}, knowledge=knowledge, embedded=True)
    dialogue.said(0, demo.greeting)
    clips = json.loads((ROOT / "tests" / "speech" / "transcripts.json").read_text())
    assert {clip["file"] for clip in clips} == set(ANSWERS)
    for turn, clip in enumerate(clips, 1):
        answer, done = await said(dialogue, clip["text"], turn)
        assert ANSWERS[clip["file"]] in answer.lower()
        assert done.source == "knowledge"


@pytest.mark.parametrize(
    "text",
    [
        "Do you take Visa?",
        "I need a table for six on Saturday night",
        "Is it okay if I come with my dog?",
        "Where can I leave my car?",
    ],
)
async def test_other_words_for_a_known_question_find_its_answer(
    demo: AgentDefinition, embedder: LocalEmbedder, tmp_path: Path, text: str
) -> None:
    best = (await (await known(demo, embedder, tmp_path)).look_up(text, deadline=0, top=1, tokens=200))[0]
    assert best.score >= 0.58


async def test_what_the_demo_agent_cannot_know_is_small_talk_of_the_embedded_model(
    demo: AgentDefinition, embedder: LocalEmbedder, runtime: LlamaRuntime, tmp_path: Path
) -> None:
    knowledge = await known(demo, embedder, tmp_path)
    dialogue = dialogue_for(demo, EmbeddedChat(runtime), tools={}, knowledge=knowledge, embedded=True)
    await dialogue.warm_up()
    answer, done = await said(dialogue, "I am feeling a little sad today.", 1)
    assert answer.endswith((".", "!", "?"))
    assert answer.count("\n") == 0
    assert done.source == "SmolLM2-135M-Instruct"
    honest, done = await said(dialogue, "Do you have a piano?", 2)
    assert (honest, done.source) == (demo.knowledge.unknown[0], "knowledge")


async def test_the_embedded_chat_streams_and_counts(runtime: LlamaRuntime) -> None:
    model = EmbeddedChat(runtime)
    deltas = [delta async for delta in model.stream([Message("user", "What is the capital of France?")])]
    assert "Paris" in "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert any(isinstance(delta, Usage) for delta in deltas)
    with pytest.raises(ChatError) as caught:
        await anext(model.stream([Message("user", "hello " * 4000)]))
    assert not caught.value.retryable
