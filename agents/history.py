"""What a conversation has said so far, as the model is told it: bounded, and true to what was heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agents.llm.protocol import Message

INTERRUPTED = "[interrupted]"
"""Ends what the agent had said when the caller cut it off; the rules in the system prompt explain it."""
_MESSAGE_TOKENS = 4
_CHARACTERS_PER_TOKEN = 3.5
_WIDE = 0x2E80
"""CJK and emoji begin here."""


def estimate_tokens(text: str) -> int:
    """An upper estimate of a text's tokens under any common tokenizer.

    English takes 4 to 4.7 characters a token; characters beyond Latin count as one each.
    """
    wide = sum(1 for character in text if ord(character) >= _WIDE)
    return wide + round((len(text) - wide) / _CHARACTERS_PER_TOKEN + 0.5)


def beginning(text: str, tokens: int) -> str:
    """As many whole words from the beginning of a text as take at most that many tokens, by `estimate_tokens`."""
    if estimate_tokens(text) <= tokens:
        return text
    cut = text[: int(tokens * _CHARACTERS_PER_TOKEN)]
    while cut and estimate_tokens(cut) > tokens:
        cut = cut[: -max(1, len(cut) // 20)]
    return cut if text[len(cut) : len(cut) + 1].isspace() else cut.rpartition(" ")[0] or cut


@dataclass(slots=True)
class Exchange:
    """One turn: what the caller said, the tool calls with their results, and the agent's answer as it was heard."""

    turn_id: int
    user: str
    steps: list[Message] = field(default_factory=list)
    answer: str = ""
    interrupted: bool = False

    def messages(self) -> list[Message]:
        """This turn as chat messages; what was never heard is not there."""
        messages = [Message("user", self.user)] if self.user else []
        messages += self.steps
        answer = f"{self.answer} {INTERRUPTED}".strip() if self.interrupted else self.answer
        if self.answer or (self.interrupted and self.steps):
            messages.append(Message("assistant", answer))
        return messages


class History:
    """The turns of one conversation. `count` gives the tokens of a text; the estimate is safe for any model."""

    def __init__(self, system: str, *, token_limit: int, count: Callable[[str], int] = estimate_tokens) -> None:
        self.system = system
        self._limit = token_limit
        self._count = count
        self._exchanges: list[Exchange] = []

    def __len__(self) -> int:
        return len(self._exchanges)

    def add(self, exchange: Exchange) -> None:
        """Append a turn, or replace the one that has its id."""
        for index, known in enumerate(self._exchanges):
            if known.turn_id == exchange.turn_id:
                self._exchanges[index] = exchange
                return
        self._exchanges.append(exchange)

    def find(self, turn_id: int) -> Exchange | None:
        """The turn with this id, None if it is not there (any more)."""
        return next((exchange for exchange in reversed(self._exchanges) if exchange.turn_id == turn_id), None)

    def last_user_text(self) -> str:
        """What the caller said last, "" at the beginning."""
        return next((exchange.user for exchange in reversed(self._exchanges) if exchange.user), "")

    def messages(
        self,
        *,
        user: str | None = None,
        facts: str = "",
        examples: Sequence[Message] = (),
        without: int | None = None,
    ) -> list[Message]:
        """The chat for the next answer: system prompt, the turns that fit, and `user` as the newest message.

        `without` leaves out a turn: the one that is being answered anew.

        Turns are left out from the oldest, each as a whole, so that a tool's result never stands without its
        call. `facts` precede the caller's newest words: at the end, so that all before stays a prefix that
        models have cached. `examples` are told as if they had been the beginning of the conversation. They, the
        system prompt and the newest message are always there.
        """
        tail = [Message("user", f"{facts}\n\n{user}" if facts else user)] if user is not None else []
        head = [*([Message("system", self.system)] if self.system else []), *examples]
        room = self._limit - self._tokens(head) - self._tokens(tail)
        kept: list[Message] = []
        for exchange in reversed(self._exchanges):
            messages = exchange.messages() if exchange.turn_id != without else []
            room -= self._tokens(messages)
            if room < 0:
                break
            kept = messages + kept
        return _merged(head + kept + tail)

    def forget_unreachable(self) -> None:
        """Drop the turns that no longer fit, so that a long call stays bounded."""
        room = self._limit - self._tokens([Message("system", self.system)])
        newest = len(self._exchanges) - 1
        for index in range(newest, -1, -1):
            room -= self._tokens(self._exchanges[index].messages())
            if room < 0:
                del self._exchanges[: min(index + 1, newest)]
                return

    def _tokens(self, messages: Sequence[Message]) -> int:
        total = 0
        for message in messages:
            total += _MESSAGE_TOKENS + self._count(message.content)
            total += sum(_MESSAGE_TOKENS + self._count(call.name + call.arguments) for call in message.tool_calls)
        return total


def _merged(messages: list[Message]) -> list[Message]:
    """Neighbouring messages of the caller as one: a turn whose answer was never heard was a part of the next."""
    merged: list[Message] = []
    for message in messages:
        if message.role == "user" and merged and merged[-1].role == "user":
            merged[-1] = Message("user", f"{merged[-1].content}\n{message.content}")
        else:
            merged.append(message)
    return merged
