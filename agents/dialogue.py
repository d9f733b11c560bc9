"""One conversation with a language model: answers as pieces to speak, written ahead and remembered as heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any

import structlog

from agents.definition import AgentDefinition
from agents.history import INTERRUPTED, Exchange, History, beginning
from agents.knowledge import DIRECT, NEARBY, Knowledge, Passage
from agents.llm.protocol import ChatError, ChatModel, Message, TextDelta, ToolCall, ToolSpec, Usage
from agents.llm.streams import deltas_of
from agents.llm.warm import warm_up
from agents.pieces import Action, Done, EndCall, Filler, Hold, OptOut, Piece, Say, SendDigits, Transfer
from agents.sentences import SentenceSplitter, speakable
from agents.tools.round import ToolRound
from agents.tools.tool import Tool
from media.language.errors import LanguageModelError
from media.models import ModelError
from media.worker import WorkerError

__all__ = [
    "Dialogue",
    "DialogueError",
    "Done",
    "EndCall",
    "Filler",
    "Hold",
    "OptOut",
    "Piece",
    "Say",
    "SendDigits",
    "Transfer",
]

log = structlog.get_logger(__name__)

TOOL_ROUNDS = 4
"""Rounds of tool calls in one answer, at most; then the model has to answer with what it has."""
LOOK_UP_SECONDS = 0.05
EMBEDDED_CONTEXT = 280
"""Tokens of prompt for the embedded model: it reads about 250 a second and heeds the last few only."""
EMBEDDED_NOTES = 60
"""Tokens of notes on a call that the embedded model is told."""
SPOKEN_RULES = (
    "This is a live call and what you write is read aloud as it is: plain short sentences, no lists, no markdown, "
    "no emoji, numbers the way one says them. What the caller says comes from speech recognition and may be misheard; "
    f'ask when it makes no sense. Where a message of yours ends in "{INTERRUPTED}", the caller cut you off there and '
    "did not hear the rest; never write that mark yourself."
)


class DialogueError(Exception):
    """There is no answer, or only the part that was given out: the caller should hear an apology."""


@dataclass(slots=True)
class _Draft:
    """An answer on its way; its exchange enters the history when the turn is committed."""

    exchange: Exchange
    committed: asyncio.Event
    first_token_at: float | None = None
    said: bool = False
    usage: Usage | None = None
    tools: list[str] = field(default_factory=list)


class Dialogue:
    """The dialogue of one session. Used from one event loop.

    `answer` may be called for words that turn out not to be the whole turn: nothing is remembered until `commit`.
    `context_tokens` bounds the prompt including `answer_tokens` for the answer. For a very small model:
    `direct_answers` gives the answers of known questions word for word where the match is strong, and one of
    `unknown` where it is weak; `examples` tells known questions as examples instead of facts.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        system_prompt: str,
        tools: Mapping[str, Tool] | None = None,
        knowledge: Knowledge | None = None,
        knowledge_top: int = 3,
        knowledge_tokens: int = 400,
        direct_answers: bool = False,
        unknown: Sequence[str] = (),
        examples: bool = False,
        fillers: Sequence[str] = (),
        goodbyes: Sequence[str] = (),
        waits: Sequence[str] = (),
        context_tokens: int = 4096,
        answer_tokens: int = 300,
    ) -> None:
        self._model = model
        self._tools: Mapping[str, Tool] = tools or {}
        self._knowledge = knowledge
        self._knowledge_top, self._knowledge_tokens = knowledge_top, knowledge_tokens
        self._direct_answers, self._unknown, self._examples = direct_answers, cycle(unknown), examples
        self._fillers, self._goodbyes, self._waits = cycle(fillers), tuple(goodbyes), cycle(waits)
        self._history = History(system_prompt, token_limit=max(256, context_tokens - answer_tokens))
        self._draft: _Draft | None = None

    @property
    def model_name(self) -> str:
        """The model's name, for the record."""
        return self._model.name

    async def warm_up(self) -> None:
        """Get the model ready for this conversation; worth doing while the greeting is spoken. Never fails."""
        await warm_up(self._model, self._history.messages())

    def commit(self, turn_id: int, user_text: str) -> None:
        """The turn is confirmed with these words: it is part of the conversation from now on."""
        draft = self._draft
        known = self._history.find(turn_id)
        if draft is not None and draft.exchange.turn_id == turn_id:
            exchange = draft.exchange
        else:
            exchange = known or Exchange(turn_id, user_text)
        exchange.user = user_text
        self._history.add(exchange)
        self._history.forget_unreachable()

    def said(self, turn_id: int, text: str) -> None:
        """The agent says a phrase of its own in this turn (a greeting, an apology)."""
        exchange = self._history.find(turn_id)
        if exchange is None:
            exchange = Exchange(turn_id, "")
            self._history.add(exchange)
        exchange.answer = f"{exchange.answer} {text}".strip()

    def heard(self, turn_id: int, text: str, *, interrupted: bool) -> None:
        """The turn is over and this much of its answer was heard."""
        exchange = self._history.find(turn_id)
        if exchange is not None:  # as a copy: an answer that is still being written keeps writing into the other
            heard = replace(exchange, answer=text.strip(), interrupted=interrupted, steps=list(exchange.steps))
            self._history.add(heard)

    def first_token_at(self, turn_id: int) -> float | None:
        """When the model's first word came for this turn, on the event loop's clock."""
        draft = self._draft
        return draft.first_token_at if draft is not None and draft.exchange.turn_id == turn_id else None

    async def answer(self, user_text: str, *, turn_id: int, committed: asyncio.Event) -> AsyncGenerator[Piece, None]:
        """Answer `user_text`, piece by piece, `Done` last. Close the generator to stop.

        Until `committed` is set only tools that are safe run. A newer answer replaces the one before. Raises
        `DialogueError`.
        """
        draft = _Draft(Exchange(turn_id, user_text), committed)
        self._draft = draft
        if self._history.find(turn_id) is not None:  # confirmed before: this answer replaces one that failed
            self._history.add(draft.exchange)
        known = await self._look_up(user_text)
        if direct := self._direct(known):
            draft.first_token_at = asyncio.get_running_loop().time()
            splitter = SentenceSplitter()
            for say in self._say(draft, [*splitter.feed(direct), *splitter.finish()]):
                yield say
            yield Done(source="knowledge")
            return
        messages = self._prompt(user_text, turn_id, known)
        try:
            async with aclosing(self._rounds(draft, messages)) as pieces:
                async for piece in pieces:
                    yield piece
        except ChatError as error:
            raise DialogueError(str(error)) from error
        yield Done(draft.usage, tuple(draft.tools), self._model.name)

    async def _rounds(self, draft: _Draft, messages: list[Message]) -> AsyncGenerator[Piece, None]:
        """The model's answer, its tool calls carried out, until it has nothing left to call."""
        for number in range(TOOL_ROUNDS + 1):
            offered = [tool.spec for tool in self._tools.values()] if number < TOOL_ROUNDS else []
            calls: list[ToolCall] = []
            if draft.exchange.answer.rstrip() == draft.exchange.answer != "":
                draft.exchange.answer += " "  # between what was said before a tool ran and after it
            began = len(draft.exchange.answer)
            async with aclosing(self._stream(draft, messages, offered, calls)) as pieces:
                async for piece in pieces:
                    yield piece
            if not calls or not offered:
                break
            spoke = draft.exchange.answer[began:]
            tools = ToolRound(calls, self._tools, draft.committed)
            covered = speakable(spoke)  # "Let me check that." makes a filler needless
            async with aclosing(tools.run(_silence if covered else self._filler)) as fillers:
                async for filler in fillers:
                    yield filler
            draft.tools += [call.name for call in calls]
            messages = [*messages, Message("assistant", spoke, tuple(calls)), *tools.messages()]
            # What was said before the call is remembered with the rest of the answer, as it was heard.
            draft.exchange.steps += [Message("assistant", "", tuple(calls)), *tools.messages()]
            final = [outcome.action for outcome in tools.outcomes if outcome.final]
            if final and not draft.said:
                for piece in self._say(draft, self._parting(final)):
                    yield piece
            for outcome in tools.outcomes:
                if outcome.action is not None:
                    yield outcome.action
            if final:
                return
        if not draft.said:
            raise DialogueError(f"{self._model.name}: the answer holds nothing to say")

    async def _stream(
        self, draft: _Draft, messages: Sequence[Message], tools: Sequence[ToolSpec], calls: list[ToolCall]
    ) -> AsyncGenerator[Say, None]:
        """One answer of the model as pieces; its tool calls go into `calls`."""
        splitter = SentenceSplitter()
        async with aclosing(deltas_of(self._model, messages, tools)) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    if draft.first_token_at is None:
                        draft.first_token_at = asyncio.get_running_loop().time()
                    for piece in self._say(draft, splitter.feed(delta.text)):
                        yield piece
                elif isinstance(delta, ToolCall):
                    calls.append(delta)
                else:
                    draft.usage = _added(draft.usage, delta)
        for piece in self._say(draft, splitter.finish()):
            yield piece

    def _say(self, draft: _Draft, texts: Sequence[str]) -> list[Say]:
        """The pieces to speak among `texts`; all of it becomes the answer."""
        pieces = []
        for text in texts:
            clean = text.replace(INTERRUPTED, "")
            draft.exchange.answer += clean
            if speakable(clean):
                draft.said = True
                pieces.append(Say(clean))
        return pieces

    async def _look_up(self, user_text: str) -> list[Passage]:
        """What is known about `user_text`; nothing where the embeddings fail: the model answers without."""
        if self._knowledge is None:
            return []
        try:
            return await self._knowledge.look_up(
                user_text,
                deadline=time.monotonic() + LOOK_UP_SECONDS,
                top=self._knowledge_top,
                tokens=self._knowledge_tokens,
            )
        except (LanguageModelError, ModelError, WorkerError) as error:
            log.warning("knowledge not available", reason=str(error))
            return []

    def _direct(self, known: Sequence[Passage]) -> str:
        """The answer that needs no model, "" if there is none."""
        if not self._direct_answers or not known or not known[0].answer:
            return ""
        if known[0].score >= DIRECT:
            return known[0].answer
        return next(self._unknown, "") if known[0].score >= NEARBY else ""

    def _prompt(self, user_text: str, turn_id: int, known: Sequence[Passage]) -> list[Message]:
        if self._examples:
            pairs = [passage for passage in reversed(known) if passage.answer]
            examples = [m for p in pairs for m in (Message("user", p.question), Message("assistant", p.answer))]
            return self._history.messages(user=user_text, examples=examples, without=turn_id)
        facts = "\n".join(f"- {passage.text}" for passage in known)
        facts = f"Facts that may help:\n{facts}\n\nThe caller says:" if facts else ""
        return self._history.messages(user=user_text, facts=facts, without=turn_id)

    def _parting(self, actions: Sequence[Action | None]) -> list[str]:
        """What is said where the model says nothing before these actions."""
        if any(isinstance(action, OptOut) for action in actions):
            return []  # the session confirms it in the agent's words
        if all(isinstance(action, Hold) for action in actions):
            return [phrase for phrase in [next(self._waits, "")] if phrase]
        return list(self._goodbyes[:1])

    def _filler(self) -> str:
        """The next filler phrase, each in turn."""
        return next(self._fillers, "")


def dialogue_for(
    definition: AgentDefinition,
    model: ChatModel,
    *,
    tools: Mapping[str, Tool],
    knowledge: Knowledge | None,
    embedded: bool,
    context_tokens: int = 4096,
    answer_tokens: int = 300,
    notes: str = "",
) -> Dialogue:
    """A new conversation of this agent. `embedded`: the model is the small one in this process.

    `notes`: what is known about this call; the model is told the beginning of them, as much as its prompt has room for.
    """
    direct = definition.knowledge.direct
    common: dict[str, Any] = {
        "knowledge": knowledge,
        "knowledge_top": definition.knowledge.top,
        "knowledge_tokens": definition.knowledge.tokens,
        "direct_answers": direct == "always" or (direct == "auto" and embedded),
        "unknown": definition.knowledge.unknown,
        "fillers": definition.phrases.filler,
        "goodbyes": definition.phrases.goodbye,
        "waits": definition.phrases.waiting,
    }
    if embedded:  # a tiny model needs a short prompt, examples instead of rules, and no long memory
        prompt = definition.short_prompt or definition.system_prompt
        return Dialogue(
            model,
            system_prompt=_with_notes(prompt, notes, EMBEDDED_NOTES),
            examples=True,
            context_tokens=EMBEDDED_CONTEXT,
            answer_tokens=0,
            **common,
        )
    context = definition.llm.context_tokens or context_tokens
    return Dialogue(
        model,
        system_prompt=_with_notes(f"{definition.system_prompt}\n\n{SPOKEN_RULES}", notes, context // 4),
        tools=tools,
        context_tokens=context,
        answer_tokens=definition.llm.max_tokens or answer_tokens,
        **common,
    )


def _with_notes(prompt: str, notes: str, tokens: int) -> str:
    """The prompt with as much of the notes as may be told, in whole words."""
    told = beginning(" ".join(notes.split()), tokens)
    return f"{prompt}\n\nAbout this call: {told}" if told else prompt


def _silence() -> str:
    return ""


def _added(total: Usage | None, more: Usage) -> Usage:
    if total is None:
        return more
    return Usage(total.prompt_tokens + more.prompt_tokens, total.completion_tokens + more.completion_tokens)
