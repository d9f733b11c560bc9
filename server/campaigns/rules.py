"""When a campaign calls and how often it tries. Pure: the moment is an argument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from telephony.quiet_hours import QuietHours

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LARGEST_CONCURRENCY: Final = 50
_HORIZON_DAYS: Final = 9
"""A window that opens on one day of the week opens within these."""

Retried = Literal["busy", "noAnswer", "failed", "machine"]
"""What a call may have come to for which there are retries."""


class WindowShut(ValueError):
    """A window in which nobody can ever be called."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `begin` to before `end` of the callee's own time, on these days of the week (as in `DAYS`)."""

    begin: time = time(9)
    end: time = time(18)
    days: frozenset[str] = frozenset(DAYS)

    def __post_init__(self) -> None:
        if self.begin >= self.end:
            raise WindowShut("until must be later than from, on the same day")
        if not self.days:
            raise WindowShut("days must name at least one day")

    def open_at(self, local: datetime) -> bool:
        """Whether it is open at this local time."""
        return DAYS[local.weekday()] in self.days and self.begin <= local.time() < self.end


@dataclass(frozen=True, slots=True)
class Hours:
    """When people may be called: while the window is open and it is not quiet, in every zone they may be in."""

    window: Window
    quiet: QuietHours

    def __post_init__(self) -> None:
        """Raises `WindowShut` where the quiet hours cover the whole window."""
        starts = [start for start in (self.window.begin, self.quiet.end) if self._allows(start)]
        if not starts:
            begin, end = self.quiet.begin, self.quiet.end
            raise WindowShut(f"lies within the hours in which nobody is called, {begin:%H:%M} to {end:%H:%M}")

    def may_call(self, moment: datetime, zones: Sequence[str]) -> bool:
        """Whether `moment` (with its time zone) is within these hours in each of the IANA zones."""
        return all(self._open_at(moment.astimezone(ZoneInfo(zone))) for zone in zones)

    def next_call(self, moment: datetime, zones: Sequence[str]) -> datetime | None:
        """The first moment from `moment` on; None where the zones lie so far apart that they have none in common.

        Hours begin in all zones at once only where they begin in one of them, so only beginnings are tried.
        """
        if self.may_call(moment, zones):
            return moment
        starts = sorted(start for zone in zones for start in self._starts(moment, ZoneInfo(zone)) if start > moment)
        return next((start for start in starts if self.may_call(start, zones)), None)

    def _starts(self, moment: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        today = moment.astimezone(zone).date()
        for number in range(_HORIZON_DAYS):
            for start in {self.window.begin, self.quiet.end}:
                yield datetime.combine(today + timedelta(days=number), start, zone).astimezone(UTC)

    def _open_at(self, local: datetime) -> bool:
        return self.window.open_at(local) and not self.quiet.quiet_at(local.time())

    def _allows(self, start: time) -> bool:
        return self.window.begin <= start < self.window.end and not self.quiet.quiet_at(start)


@dataclass(frozen=True, slots=True)
class Retry:
    """After a call that came to this, up to `times` more calls, each at least `after_minutes` later."""

    times: int
    after_minutes: int


@dataclass(frozen=True, slots=True)
class Rules:
    """How a campaign calls. `concurrency`: calls at once, bounded by the account's own limit too."""

    window: Window = Window()
    concurrency: int = 2
    retries: Mapping[Retried, Retry] = field(default_factory=dict)

    def again_after(self, outcome: str, attempts: int) -> timedelta | None:
        """How long after a call that came to `outcome` the next one may be made; None: there is none.

        `attempts`: calls made so far, whatever they came to: the times of one outcome bound all of them.
        """
        retry = self.retries.get(_AS_RETRIED[outcome]) if outcome in _AS_RETRIED else None
        if retry is None or attempts > retry.times:
            return None
        return timedelta(minutes=retry.after_minutes)

    def as_json(self) -> dict[str, Any]:
        """For the database, and as the API shows them."""
        return {
            "window": {
                "from": f"{self.window.begin:%H:%M}",
                "until": f"{self.window.end:%H:%M}",
                "days": [day for day in DAYS if day in self.window.days],
            },
            "concurrency": self.concurrency,
            "retries": {
                name: {"times": retry.times, "afterMinutes": retry.after_minutes}
                for name, retry in self.retries.items()
            },
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Rules:
        """What `as_json` made."""
        window = value["window"]
        return Rules(
            Window(time.fromisoformat(window["from"]), time.fromisoformat(window["until"]), frozenset(window["days"])),
            value["concurrency"],
            {name: Retry(each["times"], each["afterMinutes"]) for name, each in value["retries"].items()},
        )


_AS_RETRIED: Final[Mapping[str, Retried]] = {
    "busy": "busy",
    "no-answer": "noAnswer",
    "failed": "failed",
    "machine": "machine",
}
"""Outcomes of contacts, as the rules name them."""
