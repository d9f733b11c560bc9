"""The states of a call at the carrier, as its callbacks tell them: late, twice, out of order.

Source: twilio.com/docs/voice/api/call-resource#call-status-values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final


class CallState(Enum):
    """What has become of a call; the values are those of our API."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen."""
        return self in _ENDED


_ENDED: Final = frozenset(
    {CallState.COMPLETED, CallState.BUSY, CallState.NO_ANSWER, CallState.FAILED, CallState.CANCELED}
)
_ORDER: Final = {CallState.QUEUED: 0, CallState.RINGING: 1, CallState.IN_PROGRESS: 2}
_REPORTED: Final = {
    "queued": CallState.QUEUED,
    "initiated": CallState.QUEUED,
    "ringing": CallState.RINGING,
    "answered": CallState.IN_PROGRESS,
    **{state.value: state for state in CallState},
}


@dataclass(frozen=True, slots=True)
class CallProgress:
    """Where a call stands. `answered`: it was in progress at some time, also where no callback said so."""

    state: CallState = CallState.QUEUED
    answered: bool = False

    def report(self, status: str) -> CallProgress:
        """After the carrier has reported `status`; a status it never had, or that is behind, changes nothing.

        A call only moves forward, and an end is final: what comes after it was under way before. Only `completed`
        says that somebody answered, and takes the place of another end, for a carrier bills what was answered.
        """
        state = _REPORTED.get(status)
        if state is None:
            return self
        answered = self.answered or state in (CallState.IN_PROGRESS, CallState.COMPLETED)
        if self.state.ended:
            final = CallState.COMPLETED if state is CallState.COMPLETED else self.state
            return replace(self, state=final, answered=answered)
        if state.ended or _ORDER[state] > _ORDER[self.state]:
            return replace(self, state=state, answered=answered)
        return replace(self, answered=answered)
