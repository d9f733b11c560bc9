"""Transfers: where a call stands between its agent and the person to whom it shall go.

Pure: the time is an argument, in seconds of any monotonic clock. The carrier asks what follows by webhooks, which may
come twice; each answer is made of what is known here, so that it is the same again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Final

from agents.pieces import Transfer as TransferWish
from server.phone.book import CallOrder

__all__ = ["Resumption", "Returned", "Stage", "Transfer", "TransferWish", "Transfers"]

MOST_CALLS: Final = 1024
"""Calls that are being transferred, or were; the oldest are forgotten."""

RINGING_SLACK: Final = 10.0
"""After the longest ringing: by then we know whether a person has answered."""

ANSWERING_SECONDS: Final = 120.0
"""Within which a person who has answered has to take the call of which they are told."""

GONE_SECONDS: Final = 20.0
"""Who is on hold and was not asked about for so long has hung up: their line asks every few seconds."""

SORRY: Final = "I am sorry, I could not reach {name}. Is there something else that I can do for you?"
_REASONS: Final = {
    "busy": "the line was busy",
    "no-answer": "nobody answered",
    "declined": "they cannot take the call now",
}


@dataclass(frozen=True, slots=True)
class Resumption:
    """A call that comes back to its agent: what is said first, and what the model is told."""

    opening: str
    notes: str


class Stage(Enum):
    """How far a transfer has come. A blind one is the carrier's business: it stays where it began."""

    BEGUN = "begun"
    ACCEPTED = "accepted"
    JOINED = "joined"
    FAILED = "failed"


@dataclass(slots=True)
class Transfer:
    """A transfer that is going on. `target_sid`: the carrier's id of the person's leg, None until it is known."""

    order: CallOrder
    sid: str
    wish: TransferWish
    history: str
    deadline: float
    seen: float
    stage: Stage = Stage.BEGUN
    target_sid: str | None = None
    failure: str = ""

    def answered(self, now: float) -> None:
        """The person has answered, and is told of the call."""
        self.deadline = now + ANSWERING_SECONDS

    def fail(self, reason: str) -> None:
        """The person was not reached or does not take the call; after a yes only where nobody has met yet."""
        if self.stage in (Stage.BEGUN, Stage.ACCEPTED):
            self.stage, self.failure = Stage.FAILED, reason

    def accept(self, now: float) -> bool:
        """The person takes the call; whether there is still somebody to talk with."""
        if self.stage is Stage.BEGUN and self.waits(now):
            self.stage = Stage.ACCEPTED
        return self.stage in (Stage.ACCEPTED, Stage.JOINED)

    def waits(self, now: float) -> bool:
        """Whether the caller is still on hold, as far as one can tell."""
        return now < self.seen + GONE_SECONDS

    def returned(self, reason: str) -> Returned:
        """The call as it goes back to its agent."""
        return Returned(self.order, self.sid, _resumption(self.wish.name, reason, self.history))


@dataclass(frozen=True, slots=True)
class Returned:
    """A call that went back to its agent."""

    order: CallOrder
    sid: str
    resumption: Resumption


class Transfers:
    """The transfers of this process, by call, and what calls came back with."""

    def __init__(self) -> None:
        self._going_on: OrderedDict[str, Transfer] = OrderedDict()
        self._legs: OrderedDict[str, None] = OrderedDict()
        self._returned: OrderedDict[str, Returned] = OrderedDict()

    def begin(
        self, now: float, order: CallOrder, wish: TransferWish, *, sid: str, history: str, ring_seconds: float
    ) -> Transfer:
        """The agent has said its last words; from now on the carrier asks what follows."""
        deadline = now + ring_seconds + RINGING_SLACK
        transfer = Transfer(order, sid, wish, history, deadline, seen=now)
        self._returned.pop(order.call_id, None)
        self._going_on[order.call_id] = transfer
        while len(self._going_on) > MOST_CALLS:
            self._going_on.popitem(last=False)
        return transfer

    def of(self, call_id: str, sid: str | None = None) -> Transfer | None:
        """A call's transfer, while it is going on; with a `sid`, only where that is the caller's leg."""
        transfer = self._going_on.get(call_id)
        return transfer if transfer is not None and sid in (None, transfer.sid) else None

    def adopts(self, transfer: Transfer, target_sid: str) -> bool:
        """Whether this is the person's leg; the first that is named is."""
        if target_sid == transfer.sid:
            return False
        if transfer.target_sid is None:
            transfer.target_sid = target_sid
            self._legs[target_sid] = None
            while len(self._legs) > MOST_CALLS:
                self._legs.popitem(last=False)
        return transfer.target_sid == target_sid

    def knows_leg(self, target_sid: str) -> bool:
        """Whether this is the leg of a person to whom some call was or is transferred."""
        return target_sid in self._legs

    def held(self, now: float, transfer: Transfer) -> Stage:
        """The caller's line asks what follows; what nobody has answered in time has failed."""
        transfer.seen = now
        if now >= transfer.deadline:
            transfer.fail("no-answer")
        return transfer.stage

    def back(self, call_id: str, sid: str, reason: str) -> Returned | None:
        """The call goes back to its agent; the same again where it has already. None for an unknown one."""
        transfer = self.of(call_id, sid)
        if transfer is not None:
            del self._going_on[call_id]
            self._keep(transfer.returned(reason))
        return self.returned(call_id, sid)

    def found(self, order: CallOrder, sid: str, reason: str) -> Returned:
        """A call of which nothing is known any more, for the server was started anew, goes back to its agent."""
        self._keep(Returned(order, sid, _resumption("", reason, "")))
        return self._returned[order.call_id]

    def returned(self, call_id: str, sid: str) -> Returned | None:
        """What a call went back with, None for one that did not."""
        returned = self._returned.get(call_id)
        return returned if returned is not None and returned.sid == sid else None

    def _keep(self, returned: Returned) -> None:
        self._returned[returned.order.call_id] = returned
        while len(self._returned) > MOST_CALLS:
            self._returned.popitem(last=False)

    def call_of(self, sid: str) -> str:
        """The call that is being transferred and has this id at the carrier, "" where none has."""
        return next((call_id for call_id, transfer in self._going_on.items() if transfer.sid == sid), "")

    def over(self, call_id: str) -> Transfer | None:
        """The call has ended; returns the transfer that was going on."""
        self._returned.pop(call_id, None)
        return self._going_on.pop(call_id, None)


def _resumption(name: str, reason: str, history: str) -> Resumption:
    name = name or "them"
    said = _REASONS.get(reason, "it did not work")
    lines = [f"You have tried to transfer this call to {name}, but {said}. The caller is with you again."]
    return Resumption(SORRY.format(name=name), "\n".join([*lines, history] if history else lines))
