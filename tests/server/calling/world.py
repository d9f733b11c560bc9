"""Telephone calls in a real database, with a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.calling.books import Books
from server.calling.dialler import Dialler
from server.calling.guard import Guard
from server.calling.numbers import Numbers
from server.calling.owners import AgentOwners
from server.credits import audit, balance
from server.database import Database, create_account
from server.database.tables import Call, CreditReservation, MadeAgent, PhoneCall
from server.phone.book import CallOrder, CallRefused
from server.settings import Settings
from server.settings.phone import TelephonySettings, TwilioSettings
from telephony.twilio.rest import TwilioCalls
from tests.peers.carrier.service import ACCOUNT

OURS = "+14155550123"
CALLEE = "+447400123456"
TOKEN = "c" * 32
PRICE = 10
CREDITS = 10_000
NOON = datetime(2026, 5, 1, 15, tzinfo=UTC)
"""Nobody sleeps in London or in New York then."""


@dataclass
class Clock:
    """The time."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def telephony(**changed: Any) -> TelephonySettings:
    """Calls to Great Britain and America, at all hours."""
    common: dict[str, Any] = {
        "number": OURS,
        "countries": ("GB", "US"),
        "quiet_from": time(0),
        "quiet_until": time(0),
        "twilio": TwilioSettings(account_sid=ACCOUNT, auth_token=SecretStr(TOKEN)),
    }
    return TelephonySettings(**{**common, **changed})


def sid(number: int = 1) -> str:
    """An id as Twilio gives them."""
    return f"CA{number:032x}"


@dataclass
class Calls:
    """An account that calls, and the parts that its calls are made of."""

    database: Database
    settings: Settings
    carrier: TwilioCalls | None = None
    credits: int = CREDITS
    clock: Clock = field(default_factory=Clock)
    account: str = field(init=False)

    def __post_init__(self) -> None:
        prices = self.settings.prices
        self.account = self.database.run_here(create_account, "first", plan="enterprise", credits=self.credits)
        self.owners = AgentOwners(lambda: ["demo"])
        self.numbers = Numbers(self.settings.telephony, self.owners)
        self.books = Books(self.database, self.numbers, price=prices.inbound_minute, now=self.clock)
        self.guard = Guard(self.settings.telephony, prices.call_minute, now=self.clock)
        self.dialler = Dialler(
            self.settings,
            self.database,
            self.books,
            guard=self.guard,
            owners=self.owners,
            carrier=self.carrier,
            now=self.clock,
        )

    def other_account(self, credits: int = CREDITS) -> str:  # noqa: A002 - their name
        return self.database.run_here(create_account, "other", plan="enterprise", credits=credits)

    def agent(self, account: str | None = None, agent_id: str = "agent_1", **changed: Any) -> str:
        """An agent that an account has made."""

        def make(session: Session) -> str:
            now = datetime.now(UTC)
            fields: dict[str, Any] = {
                "account_id": account or self.account,
                "name": "Anna",
                "definition": {},
                "status": "ready",
                "source": {},
                "created": now,
                "updated": now,
            }
            session.add(MadeAgent(id=agent_id, **{**fields, **changed}))
            return agent_id

        return self.database.run_here(make)

    async def order(self, number: str = CALLEE, *, account: str | None = None, agent_id: str = "demo") -> str:
        def order(session: Session) -> str:
            return self.dialler.order(
                session,
                account_id=account or self.account,
                agent_id=agent_id,
                number=number,
                variables={"name": "Ada"},
            )

        return await self.database.run(order)

    async def incoming(
        self, number: int = 1, *, called: str = OURS, agent_id: str | None = None
    ) -> CallOrder | CallRefused:
        return await self.books.incoming(sid(number), carrier="twilio", caller=CALLEE, called=called, agent_id=agent_id)

    def row(self, call_id: str) -> PhoneCall:
        found = self.database.run_here(lambda session: session.get(PhoneCall, call_id))
        assert found is not None
        return found

    def conversation(self, call_id: str) -> Call:
        found = self.database.run_here(lambda session: session.get(Call, call_id))
        assert found is not None
        return found

    def rows(self) -> list[PhoneCall]:
        return self.database.run_here(lambda session: list(session.scalars(select(PhoneCall))))

    def reservations(self, call_id: str) -> Mapping[str, str]:
        """What became of each minute."""
        row = CreditReservation
        query = select(row.job_id, row.state).where(row.job_id.startswith(call_id)).order_by(row.job_id)
        found = self.database.run_here(lambda session: session.execute(query).all())
        return {job_id.removeprefix(f"{call_id}."): state for job_id, state in found}

    def balance(self, account: str | None = None) -> int:
        return self.database.run_here(balance, account or self.account)

    def wrong(self) -> list[str]:
        """What is wrong with the ledger."""
        return self.database.run_here(audit)


def settings_of(settings: Settings, *, inbound: int = 0, **changed: Any) -> Settings:
    """The settings, with `telephony` of these."""
    prices = settings.prices.model_copy(update={"call_minute": PRICE, "inbound_minute": inbound})
    return settings.model_copy(update={"telephony": telephony(**changed), "prices": prices})


@contextmanager
def migrated(url: str, threads: int = 16) -> Iterator[Database]:
    """A database that is up to date."""
    made = Database(url, threads=threads)
    made.migrate()
    try:
        yield made
    finally:
        made.close()


def recorded(database: Database, call_id: str, key: str) -> None:
    """Give a call a recording."""
    change = update(PhoneCall).where(PhoneCall.call_id == call_id).values(recording=key)
    database.run_here(lambda session: session.execute(change))
