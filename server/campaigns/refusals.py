"""What follows for a contact, or its whole campaign, when the guard rails refuse a call."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class Follows(Enum):
    """WAIT: nobody of this campaign is called for the moment. LATER: somebody else is called first. SKIP: this contact
    is not called. PAUSE: the campaign waits for its owner."""

    WAIT = auto()
    LATER = auto()
    SKIP = auto()
    PAUSE = auto()


_FOLLOWS: Final[Mapping[str, Follows]] = {
    "CONCURRENCY": Follows.WAIT,
    "QUIET_HOURS": Follows.LATER,
    "BEING_CALLED": Follows.LATER,
    "DESTINATION_DAY": Follows.LATER,
    "DO_NOT_CALL": Follows.SKIP,
    "OWN_NUMBER": Follows.SKIP,
    "COUNTRY": Follows.SKIP,
    "COSTLY": Follows.SKIP,
    "SATELLITE": Follows.SKIP,
    "NO_SUCH_NUMBER": Follows.SKIP,
    "NOT_E164": Follows.SKIP,
}
"""The codes of `server.calling.guard.CallNotAllowed`."""


def follows(code: str) -> Follows:
    """What follows from a refusal of this code. One that is not known is for the owner to look at."""
    return _FOLLOWS.get(code, Follows.PAUSE)
