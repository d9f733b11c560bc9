"""Whom agents may call, and how much of it: checked in the transaction that orders a call."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from server.calling.billing import ITEMS
from server.calling.steps import GOING_ON
from server.database.tables import Account, CreditReservation, DoNotCall, PhoneCall, PhoneNumber
from server.phone.book import Outcome
from server.settings.phone import TelephonySettings
from telephony.errors import TelephonyError
from telephony.numbers import Destination, DestinationRefused, check_destination, zones_of
from telephony.quiet_hours import QuietHours

DAY: Final = timedelta(hours=24)
FIELD: Final = "phoneNumber"
_NOWHERE: Final = ("UTC",)
_NUMBERS_LOCK: Final = 0x50484F4E
"""The class of PostgreSQL's advisory locks that numbers are called under."""


class CallNotAllowed(TelephonyError):
    """The call is not placed, and nothing was taken. `code` is for programs, the text for people.

    `field`: the field of the request that it lies in, None where it lies in the account or the server.

    code                 | why
    NOT_CONFIGURED       | this server places no calls
    NO_SUCH_AGENT        | the agent is not there, or another account's
    NOT_E164, NO_SUCH_NUMBER, SATELLITE, COSTLY, COUNTRY | see `telephony.numbers`
    OWN_NUMBER           | it is a number of this server
    DO_NOT_CALL          | it is on the account's do-not-call list
    QUIET_HOURS          | people sleep there now
    BEING_CALLED         | it is being called already
    DESTINATION_DAY      | it was called too often in 24 hours
    CONCURRENCY          | the account has too many calls under way
    SPEND_DAY            | the account's calls have cost too much today
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class Guard:
    """The guard rails of outbound calls. `price`: credits a minute; `now`: for tests."""

    def __init__(
        self, settings: TelephonySettings, price: int, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings
        self._price = price
        self._now = now
        self._quiet = QuietHours(settings.quiet_from, settings.quiet_until)

    def check(self, session: Session, account_id: str, number: str) -> Destination:
        """The destination, if the account may call it now; nobody else's order is between this and the commit.

        Raises `CallNotAllowed`, and `LookupError` for an account that is not there.
        """
        destination = self.check_number(number)
        # Not FOR UPDATE: whatever refers to the account (credits, files) would have to wait as well.
        account = select(Account.id).where(Account.id == account_id).with_for_update(key_share=True)
        if session.scalar(account) is None:
            raise LookupError(account_id)
        _lock_number(session, destination.number)
        self._check_owner_and_list(session, account_id, destination.number)
        self._check_hour(destination)
        self._check_destination(session, destination.number)
        self._check_account(session, account_id)
        return destination

    def check_configured(self) -> None:
        """Whether this server places calls at all. Raises `CallNotAllowed`."""
        if not self._settings.can_dial:
            raise CallNotAllowed(
                "NOT_CONFIGURED",
                "This server places no calls: it needs the settings telephony.twilio.account_sid,"
                " telephony.twilio.auth_token and telephony.number (and telephony.carrier twilio)",
            )

    def check_number(self, number: str) -> Destination:
        """The destination, if this server calls it at all: by its form, country and kind. Raises `CallNotAllowed`."""
        self.check_configured()
        try:
            return check_destination(number, self._settings.may_call)
        except DestinationRefused as error:
            raise CallNotAllowed(error.code, str(error), FIELD) from None

    def next_call(self, number: str) -> datetime | None:
        """The first moment, now or later, that is not quiet where the number is. Raises `CallNotAllowed`.

        None where somebody is asleep at every hour in the zones it may be in.
        """
        return self._quiet.next_call(self._now(), self._zones(self.check_number(number)))

    def _check_owner_and_list(self, session: Session, account_id: str, number: str) -> None:
        ours = {self._settings.number, *self._settings.numbers}
        if number in ours or session.get(PhoneNumber, number) is not None:
            raise CallNotAllowed("OWN_NUMBER", "phoneNumber is a number of this server: agents do not call it", FIELD)
        listed = select(DoNotCall.source).where(DoNotCall.account_id == account_id, DoNotCall.number == number)
        source = session.scalar(listed)
        if source is not None:
            why = "they have asked not to be called" if source == "callee" else "you have put it there"
            raise CallNotAllowed("DO_NOT_CALL", f"phoneNumber is on your do-not-call list: {why}", FIELD)

    def _check_hour(self, destination: Destination) -> None:
        zones, now = self._zones(destination), self._now()
        if self._quiet.may_call(now, zones):
            return
        later = self._quiet.next_call(now, zones)
        when = (
            f"call again after {later.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            if later is not None
            else "it may be anywhere in a country so wide that somebody is always asleep"
        )
        raise CallNotAllowed(
            "QUIET_HOURS",
            f"phoneNumber is where it is night now ({self._quiet.begin:%H:%M} to {self._quiet.end:%H:%M}, settings"
            f" telephony.quiet_from and quiet_until); {when}",
            FIELD,
        )

    def _zones(self, destination: Destination) -> tuple[str, ...]:
        """Where the telephone may be; where its number does not say, it is taken to be where ours is."""
        return destination.zones or zones_of(self._settings.number) or _NOWHERE

    def _check_destination(self, session: Session, number: str) -> None:
        calls = select(PhoneCall.state).where(
            PhoneCall.peer == number,
            PhoneCall.direction == "outbound",
            PhoneCall.created > self._now() - DAY,
            or_(PhoneCall.outcome.is_(None), PhoneCall.outcome != Outcome.NOT_PLACED),  # no telephone has rung
        )
        states = list(session.scalars(calls))
        # One at a time also because a call that was placed in an instant before a crash is found by whom it went to.
        if any(state in GOING_ON for state in states):
            raise CallNotAllowed("BEING_CALLED", "phoneNumber is being called already", FIELD)
        limit = self._settings.per_destination_day
        if len(states) >= limit:
            raise CallNotAllowed(
                "DESTINATION_DAY",
                f"phoneNumber was called {len(states)} times in 24 hours; the most is {limit}"
                " (setting telephony.per_destination_day)",
                FIELD,
            )

    def _check_account(self, session: Session, account_id: str) -> None:
        going_on = (
            select(func.count())
            .select_from(PhoneCall)
            .where(PhoneCall.account_id == account_id, PhoneCall.direction == "outbound", PhoneCall.state.in_(GOING_ON))
        )
        limit = self._settings.per_account
        if (session.scalar(going_on) or 0) >= limit:
            raise CallNotAllowed(
                "CONCURRENCY",
                f"Your account has {limit} calls under way, the most at once (setting telephony.per_account);"
                " call again when one of them has ended",
            )
        spent = spent_today(session, account_id, self._now())
        if spent + self._price > self._settings.spend_day:
            raise CallNotAllowed(
                "SPEND_DAY",
                f"Your account's calls have taken {spent} credits today; the most is {self._settings.spend_day}"
                " (setting telephony.spend_day). The next day begins at 00:00 UTC",
            )


def spent_today(session: Session, account_id: str, now: datetime) -> int:
    """The credits that an account's calls have taken since 00:00 UTC, what is still reserved included."""
    row = CreditReservation
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    total = select(func.sum(row.charged)).where(
        row.account_id == account_id, row.created >= midnight, row.item.in_(ITEMS), row.state != "refunded"
    )
    return int(session.scalar(total) or 0)


def _lock_number(session: Session, number: str) -> None:
    """Until the end of the transaction be the only one that orders a call to this number, whatever the account."""
    if session.connection().dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE has locked everything already
        signed = zlib.crc32(number.encode()) - (1 << 31)
        session.execute(text("SELECT pg_advisory_xact_lock(:kind, :number)"), {"kind": _NUMBERS_LOCK, "number": signed})
