"""When people are not called: a window of the day where they are, not where we are.

Pure: the moment is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_STEP: Final = timedelta(minutes=15)
"""Every zone's offset and every sensible window is a multiple of this."""
_HORIZON: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end` of local time nobody is called, over midnight if `end` is earlier. Equal: never quiet."""

    begin: time
    end: time

    def quiet_at(self, local: time) -> bool:
        """Whether this time of day is quiet."""
        if self.begin == self.end:
            return False
        if self.begin < self.end:
            return self.begin <= local < self.end
        return local >= self.begin or local < self.end

    def may_call(self, moment: datetime, zones: Iterable[str]) -> bool:
        """Whether `moment` (with its time zone) is outside the quiet hours in every one of these IANA zones."""
        return not any(self.quiet_at(moment.astimezone(ZoneInfo(zone)).time()) for zone in zones)

    def next_call(self, moment: datetime, zones: Sequence[str]) -> datetime | None:
        """The first moment from `moment` on at which a call may be placed, to a quarter of an hour.

        A mobile number's country may span so many zones that somebody is always asleep; then the zone of most
        hours apart from the others is not waited for: None, and the caller decides.
        """
        if self.may_call(moment, zones):
            return moment
        floor = moment.replace(minute=moment.minute - moment.minute % 15, second=0, microsecond=0)
        for step in range(1, int(_HORIZON / _STEP) + 1):
            later = floor + step * _STEP
            if self.may_call(later, zones):
                return later
        return None
