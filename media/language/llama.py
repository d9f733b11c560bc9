"""llama.cpp in this process: one model, streaming chat and next-token probabilities for all sessions.

xllamacpp embeds llama.cpp's server. Its slots keep the evaluated prompt of their last request, so a request that
begins like an earlier one costs only its new tokens; this module gives each request the slot that fits it best.
The embedded server insists on listening somewhere: it gets a Unix socket in a private folder that is removed at
once, so nothing can connect to it.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import math
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import xllamacpp

from media.language.errors import GenerationFailed, PromptTooLong, WeightsUnusable
from media.language.requantise import to_q8_0
from media.models import derived_dir, model_dir
from media.worker import ModelWorker

MODEL = "smollm2-135m"
_WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
_PROMPT_BATCH = 32
"""Tokens evaluated between two looks at the queue: what a cancelled or a more urgent request waits for at most."""
_REVISED_MAX = 12
"""Characters at its end that a prompt may have changed since and still be the same conversation's."""
_SOCKET_PATH_MAX = 80
_abandoned: list[Any] = []
"""Servers whose last request did not return in time: destroying one under a running request would crash."""


def embedded_weights() -> Path:
    """The embedded chat model's weights in the form that runs fastest here, computed at the first use (about 2 s).

    Raises `media.models.ModelMissing` with the command that fetches them.
    """
    target = derived_dir(MODEL, "q8_0-v1") / "SmolLM2-135M-Instruct.Q8_0.gguf"
    if not target.exists():
        to_q8_0(model_dir(MODEL) / _WEIGHTS, target)
    return target


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens of one answer; `cached` of the prompt's tokens had been evaluated before."""

    prompt: int
    completion: int
    cached: int


class Slots:
    """Which slot evaluated what last.

    A request that goes on where a free slot stopped gets that slot; any other takes the one unused for longest,
    so that conversations do not push each other out.
    """

    def __init__(self, first: int, count: int) -> None:
        self._lock = threading.Lock()
        self._free = dict.fromkeys(range(first, first + count), "")  # slot -> its last prompt, longest unused first

    def take(self, prompt: str) -> int:
        """The slot for `prompt`. There must be a free one: no more requests run than there are slots."""
        with self._lock:
            slot = next(iter(self._free))
            best = 0
            for candidate, last in self._free.items():
                shared = _shared(last, prompt)
                lost = len(last) - shared
                if lost <= _REVISED_MAX and shared - lost > best:
                    slot, best = candidate, shared - lost
            del self._free[slot]
            return slot

    def give_back(self, slot: int, prompt: str) -> None:
        """The slot is free again, and `prompt` is what it has evaluated."""
        with self._lock:
            self._free[slot] = prompt


def _shared(one: str, other: str) -> int:
    """How many characters the two begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


class _Stream:
    """Carries deltas from a worker thread to the event loop. Bounded by the request's max_tokens."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[str | TokenCount | None] = asyncio.Queue()
        self.stopped = False

    def put(self, item: str | TokenCount | None) -> None:
        """Called on the worker thread; a loop that has closed stops the request."""
        try:
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)
        except RuntimeError:
            self.stopped = True

    async def get(self) -> str | TokenCount | None:
        return await self._items.get()


class LlamaRuntime:
    """A GGUF model served to all sessions, at most `chats` chat answers and one probability at a time.

    `threads` per evaluation: more than one only where cores are idle, because llama.cpp's OpenMP threads spin at
    every barrier (beside one other busy process, 40 tokens took 20 s on two threads of two cores, 0.4 s on one).
    `context` is the number of tokens all slots share (about 23 KiB each for the embedded model). With `chats=0`
    it only judges, and a context of 512 is enough. Constructing it blocks for 0.3 to 1 s. Raises
    `WeightsUnusable`.
    """

    def __init__(
        self, weights: Path, *, threads: int = 1, context: int = 4096, chats: int = 4, judgements: int = 4
    ) -> None:
        self._closing = False
        self._running = 0
        self._lock = threading.Lock()
        self._judgements = judgements
        self._judge_slots, self._chat_slots = Slots(0, judgements), Slots(judgements, chats)
        self._server: Any = _start_server(weights, threads, context, judgements + chats)
        self._judge = ModelWorker("completion")
        self._chat = ModelWorker("embedded-llm", threads=chats, capacity=4 * chats) if chats else None
        atexit.register(self.close)  # a worker thread that dies inside llama.cpp would take the process down with it

    @property
    def workers(self) -> list[ModelWorker]:
        """Its workers, for metrics."""
        return [worker for worker in (self._judge, self._chat) if worker is not None]

    async def next_token(self, prompt: str, *, deadline: float, count: int = 60) -> dict[str, float]:
        """The `count` most probable next tokens after `prompt` and their probabilities in [0, 1].

        `prompt` is raw text in which the model's special tokens are recognised. Raises `PromptTooLong`,
        `GenerationFailed`, or what `media.worker.ModelWorker` raises.
        """
        return await self._judge.run(partial(self._probabilities, prompt, count), deadline=deadline)

    async def prime(self, prompt: str) -> None:
        """Evaluate what all prompts of `next_token` begin with, so that each of them only costs what follows."""
        await self._judge.run(partial(self._prime, prompt), deadline=time.monotonic())

    async def chat(
        self, messages: Sequence[Mapping[str, str]], *, max_tokens: int, sampling: Mapping[str, float] | None = None
    ) -> AsyncGenerator[str | TokenCount, None]:
        """Stream the answer to `messages` (OpenAI's role and content).

        A token count comes when the prompt has been evaluated (none written yet), another one at the end.

        Closing the iterator ends the request at its next token or prompt batch. `sampling` holds llama.cpp's
        options (temperature, top_p, repeat_penalty). Raises as `next_token` does.
        """
        if self._chat is None:
            raise GenerationFailed("this runtime was started without chat slots")
        stream = _Stream()
        request = {
            "messages": list(messages),
            "max_tokens": max_tokens,
            "stream": True,
            "return_progress": True,  # a sign of life for each prompt batch: the moments when a request can be ended
            "stream_options": {"include_usage": True},
            **(sampling or {}),
        }
        work = partial(self._generate, request, stream)
        job = asyncio.ensure_future(self._chat.run(work, deadline=time.monotonic()))
        job.add_done_callback(lambda _: stream.put(None))
        try:
            while (item := await stream.get()) is not None:
                yield item
            await job
        finally:
            stream.stopped = True
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)

    async def warm_up(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Evaluate `messages` into a slot, so that a chat that begins with them answers sooner."""
        async for _ in self.chat(messages, max_tokens=1):
            pass

    def close(self, timeout: float = 1.5) -> None:
        """End running requests and free the model; blocks for `timeout` seconds at most. Closing twice is harmless."""
        self._closing = True
        atexit.unregister(self.close)
        limit = time.monotonic() + timeout
        for worker in self.workers:
            worker.close(max(0.0, limit - time.monotonic()))
        with self._lock:
            server, self._server = self._server, None
            if self._running and server is not None:
                _abandoned.append(server)

    def _prime(self, prompt: str) -> None:
        for slot in range(self._judgements):  # all are free: this is the only thread that uses them
            self._complete(prompt, 1, slot)
            self._judge_slots.give_back(slot, prompt)

    def _probabilities(self, prompt: str, count: int) -> dict[str, float]:
        slot = self._judge_slots.take(prompt)
        try:
            answer = self._complete(prompt, count, slot)
        finally:
            self._judge_slots.give_back(slot, prompt)
        try:
            top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
            return {entry["token"]: math.exp(entry["logprob"]) for entry in top}
        except (LookupError, TypeError) as error:
            raise GenerationFailed("the embedded model gave no token probabilities") from error

    def _complete(self, prompt: str, count: int, slot: int) -> dict[str, Any]:
        """One token after `prompt`, with the probabilities of `count` candidates."""
        request = {"prompt": prompt, "n_predict": 1, "n_probs": count, "temperature": 0, "id_slot": slot}
        answers: list[dict[str, Any]] = []

        def receive(answer: dict[str, Any]) -> bool:
            answers.append(answer)
            return True

        self._call("handle_completions", request, receive)
        return answers[0] if answers else {}

    def _generate(self, request: dict[str, Any], stream: _Stream) -> None:
        prompt = json.dumps(request["messages"])
        slot = self._chat_slots.take(prompt)

        def receive(answer: dict[str, Any]) -> bool:
            for choice in answer.get("choices", ()):
                if text := choice.get("delta", {}).get("content"):
                    stream.put(text)
            progress = answer.get("prompt_progress")
            if progress and progress["processed"] == progress["total"]:
                stream.put(TokenCount(progress["total"], 0, progress["cache"]))
            if usage := answer.get("usage"):
                cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
                stream.put(TokenCount(usage["prompt_tokens"], usage["completion_tokens"], cached))
            return stream.stopped

        try:
            if not stream.stopped:
                self._call("handle_chat_completions", {**request, "id_slot": slot}, receive)
        finally:
            self._chat_slots.give_back(slot, prompt)

    def _call(self, method: str, request: Mapping[str, Any], receive: Callable[[dict[str, Any]], bool]) -> None:
        """Run one request to its end on this thread; `receive` returns True to end it early."""
        problems: list[dict[str, Any]] = []

        def on_answer(text: str) -> bool:
            answer = json.loads(text)
            if "error" in answer:
                problems.append(answer["error"])
                return True
            return receive(answer) or self._closing

        with self._lock:
            if self._closing or self._server is None:
                raise GenerationFailed("the embedded model has been closed")
            self._running += 1
            server = self._server
        try:
            getattr(server, method)(json.dumps(request), on_answer)
        except RuntimeError as error:
            raise GenerationFailed(f"the embedded model failed: {error}") from error
        finally:
            del server  # whoever drops the last reference frees the model: not this thread
            with self._lock:
                self._running -= 1
        if self._closing:
            raise GenerationFailed("the embedded model has been closed")
        if problems:
            message = str(problems[0].get("message", "no reason given"))
            too_long = problems[0].get("type") == "exceed_context_size_error"
            raise (PromptTooLong if too_long else GenerationFailed)(message)


def _start_server(weights: Path, threads: int, context: int, slots: int) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = context
    params.n_parallel = slots
    params.kv_unified = True  # slots share the context: one long conversation beside three short ones fits
    params.n_batch = params.n_ubatch = _PROMPT_BATCH
    params.cache_ram_mib = 0  # the slots are cache enough, and this would grow to gigabytes
    params.n_ctx_checkpoints = 0
    for pool in (params.cpuparams, params.cpuparams_batch):
        pool.n_threads = threads
        pool.poll = 0  # waiting threads sleep: the cores are shared with the speech models
    params.verbosity = -1
    params.ui = False
    params.n_threads_http = 1
    short = tempfile.gettempdir() if len(tempfile.gettempdir()) < _SOCKET_PATH_MAX else "/tmp"  # noqa: S108 - mkdtemp
    folder = Path(tempfile.mkdtemp(prefix="visavis-", dir=short))
    socket = folder / "llama.sock"
    params.hostnames = [str(socket)]
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise WeightsUnusable(f"llama.cpp cannot load {weights}: not a GGUF model, or damaged") from error
    finally:
        with suppress(OSError):
            socket.unlink(missing_ok=True)
            folder.rmdir()
