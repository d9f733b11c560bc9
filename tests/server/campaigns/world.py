"""Campaigns in a real database, a dialler that asks no carrier, and a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.calling import steps
from server.campaigns import store
from server.campaigns.contacts import Contact
from server.campaigns.outcomes import call_ended
from server.campaigns.rules import Rules
from server.campaigns.runner import CampaignRunner
from server.campaigns.store import CampaignView
from server.credits import ledger
from server.database import Database, create_account
from server.database.tables import CampaignContact, PhoneCall
from server.phone.book import Outcome
from telephony.quiet_hours import QuietHours

CREDITS = 1000
PRICE = 10
NOON = datetime(2026, 5, 4, 19, 0, tzinfo=UTC)
"""A Monday, noon where `number` is (California)."""
OWN = "+15005550006"


def number(index: int) -> str:
    """A number in San Francisco."""
    return f"+14155550{100 + index}"


def contacts(count: int) -> list[Contact]:
    return [Contact(number(index), {"name": f"Ann {index}"}) for index in range(count)]


@dataclass
class FakeDialler:
    """Orders calls with their rows and minutes, and remembers which were started. `refuses`: numbers, and why."""

    refuses: dict[str, Exception] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    now: datetime = NOON

    def order(
        self,
        session: Session,
        *,
        account_id: str,
        agent_id: str,
        number: str,
        variables: Mapping[str, Any] | None = None,
        contact_id: int | None = None,
    ) -> str:
        call = steps.add(
            session,
            account_id=account_id,
            agent_id=agent_id,
            direction="outbound",
            carrier="twilio",
            own_number=OWN,
            peer=number,
            price=PRICE,
            now=self.now,
            variables=variables,
            contact_id=contact_id,
        )
        if number in self.refuses:  # the last moment: all that was written must go
            raise self.refuses[number]
        return call.call_id

    async def start(self, call_id: str) -> None:
        self.started.append(call_id)


class CampaignWorld:
    """An account, and a runner that is told when to look."""

    def __init__(self, database: Database, *, quiet: QuietHours | None = None) -> None:
        self.database = database
        self.now = NOON
        self.dialler = FakeDialler()
        self.runner = self.another_runner(self.dialler, quiet=quiet)
        self.account = database.run_here(create_account, "tests", plan="enterprise", credits=CREDITS)

    def another_runner(self, dialler: FakeDialler, *, quiet: QuietHours | None = None) -> CampaignRunner:
        """As in another process."""
        quiet = quiet or QuietHours(time(21), time(8))
        return CampaignRunner(self.database, dialler, quiet=quiet, clock=lambda: self.now)

    def campaign(
        self, people: int | list[Contact] = 3, rules: Rules | None = None, *, account: str | None = None
    ) -> str:
        """Begin one."""
        view = self.database.run_here(
            store.create,
            account or self.account,
            name="Reminders",
            agent_id="demo",
            rules=rules or Rules(),
            contacts=contacts(people) if isinstance(people, int) else people,
            now=self.now,
        )
        return view.id

    def view(self, campaign: str) -> CampaignView:
        found = self.database.read_here(store.find, self.account, campaign)
        assert found is not None
        return found

    async def look(self, minutes: float = 0) -> list[str]:
        """Let the runner look, so much later: the calls that it started."""
        self.now += timedelta(minutes=minutes)
        self.dialler.now = self.now
        before = len(self.dialler.started)
        await self.runner.round()
        await self.runner.started()
        return self.dialler.started[before:]

    def end(
        self,
        call_id: str,
        status: str = "completed",
        *,
        answered_by: str | None = None,
        outcome: str | None = None,
        sid: bool = True,
    ) -> None:
        """The carrier tells how a call ended."""

        def work(session: Session) -> None:
            call = steps.locked(session, call_id)
            assert call is not None
            if sid and call.sid is None:
                call.sid = f"CA{call_id}"
            call.asked = call.asked or self.now
            call.answered_by = answered_by or call.answered_by
            call.outcome = outcome or call.outcome
            told = [lambda session, call: call_ended(session, call, now=self.now)]
            steps.report(session, call, status, now=self.now, seconds=30, on_ended=told)

        self.database.run_here(work)

    def give_up(self, call_id: str) -> None:
        """It is found that the carrier never made the call."""

        def work(session: Session) -> None:
            call = steps.locked(session, call_id)
            assert call is not None
            call.outcome = Outcome.NOT_PLACED
            told = [lambda session, call: call_ended(session, call, now=self.now)]
            steps.report(session, call, "failed", now=self.now, error="Twilio could not be reached", on_ended=told)

        self.database.run_here(work)

    def contact(self, index: int, campaign: str) -> CampaignContact:
        return self.database.read_here(
            lambda session: session.scalars(
                select(CampaignContact).where(
                    CampaignContact.number == number(index), CampaignContact.campaign_id == campaign
                )
            ).one()
        )

    def numbers(self, calls: list[str]) -> list[str]:
        """Who was called."""
        rows = self.database.read_here(
            lambda session: dict(
                iter(session.execute(select(PhoneCall.call_id, PhoneCall.peer).where(PhoneCall.call_id.in_(calls))))
            )
        )
        return [rows[call] for call in calls]

    def balance(self) -> int:
        return self.database.run_here(ledger.balance, self.account)

    def audit(self) -> list[str]:
        return list(self.database.read_here(ledger.audit))
