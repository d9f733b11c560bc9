"""The seam between the wire and the business of telephone calls: what a call is about, and what became of it.

`server.calling` implements it; the endpoints of `server.phone` ask it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

OUTBOUND_PATH: Final = "/telephony/outbound/{call_id}"
"""What the carrier asks when a call that we placed is answered."""
STATUS_PATH: Final = "/telephony/status"
"""Where the carrier tells how a call stands."""
CALL_STATUS_PATH: Final = STATUS_PATH + "/{call_id}"
"""The same, of a call that we placed."""


class Outcome(StrEnum):
    """What came of a call, where more can be said than its state."""

    NOT_PLACED = "not placed"  # the carrier certainly never made it: nobody's telephone rang
    BUSY = "busy"  # the network said so in words
    NOT_IN_SERVICE = "not in service"
    MACHINE = "machine"
    SCREENED = "screened"
    MESSAGE_LEFT = "message left"
    OPTED_OUT = "opted out"
    TRANSFERRED = "transferred"  # also while it is with a person: nobody has its stream then, and it goes on
    NOT_TRANSFERRED = "not transferred"
    NOT_RECORDED = "not recorded: storage is full"


@dataclass(frozen=True, slots=True)
class CallOrder:
    """A call that may go on: who talks with whom.

    `call_id`: the id of its rows in `calls` and `phone_calls`. `peer`: the other's number. `variables`: what the
    agent's texts are filled in with.
    """

    call_id: str
    account_id: str
    agent_id: str
    direction: Literal["inbound", "outbound"]
    peer: str
    own_number: str
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallRefused:
    """A call that ends at once; `say` is the sentence that its caller hears."""

    say: str


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What was learnt of a call; None says nothing new."""

    answered_by: Literal["human", "machine", "unknown"] | None = None
    outcome: str | None = None


class CallBook(Protocol):
    """The books of telephone calls. Every method is one transaction and may be repeated: the second time is nothing."""

    async def incoming(
        self, sid: str, *, carrier: str, caller: str, called: str, agent_id: str | None
    ) -> CallOrder | CallRefused:
        """Somebody calls `called`. `agent_id`: where the webhook's URL names one. The same sid, the same call."""
        ...

    async def expected(self, call_id: str) -> CallOrder | None:
        """A call that we placed and that is not over; changes nothing. None: there is no such call."""
        ...

    async def answered(self, call_id: str, sid: str) -> CallOrder | None:
        """A call that we placed was answered. None: there is no such call, it is over, or it has another sid."""
        ...

    async def report(self, call_id: str, status: str, *, sid: str, seconds: int | None = None) -> None:
        """The carrier says how a call stands, late, twice or out of order; `seconds`: billed ones, at its end.

        `call_id`: as our own URL names it (outbound); "" where only `sid` is known.
        """
        ...

    async def note(self, call_id: str, facts: CallFacts) -> None:
        """Something was learnt of a call."""
        ...

    async def opted_out(self, call_id: str) -> None:
        """The other one does not want to be called again: it holds for the account from now on."""
        ...

    async def line_closed(self, call_id: str, reason: str) -> None:
        """The call's media stream has ended and nothing follows: an inbound call is over, whoever tells us."""
        ...
