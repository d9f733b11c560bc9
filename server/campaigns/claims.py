"""The next call of a campaign: whose turn it is, and the order of the call, in one transaction.

A contact becomes `calling` in the transaction in which its call is made, with its rows and its reserved minute. So
after a crash at any moment either there is no call and the contact waits, or there is one and its call's keeper looks
after it. The campaign's locked row keeps other processes from taking the same contact, or one too many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, Protocol

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from server.calling.guard import CallNotAllowed
from server.campaigns.refusals import Follows, follows
from server.campaigns.rules import Hours, Rules, WindowShut
from server.campaigns.store import ContactStatus, Status, locked
from server.credits import InsufficientCredits
from server.database.tables import Account, Campaign, CampaignContact, PhoneCall
from telephony.numbers import zones_of
from telephony.quiet_hours import QuietHours

NO_COMMON_HOUR: Final = "no-common-hour"
"""The outcome of contacts in zones so far apart that the window is never open in all of them."""
POSTPONED: Final = timedelta(minutes=15)
"""A number that must not be called just now is tried again after this, unless the hours say when."""
_PAGE: Final = 100


class Orders(Protocol):
    """Who makes calls. `server.calling.dialler.Dialler` does."""

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
        """The id of a call that is ready to be started. Raises `CallNotAllowed`, `InsufficientCredits`."""
        ...


class Step(Enum):
    """What a look at a campaign came to where no call was ordered."""

    NOTHING = "there is nothing to do for now"
    MOVED = "contacts were postponed or skipped, others may be due"


@dataclass(frozen=True, slots=True)
class Claims:
    """Takes contacts and orders their calls.

    `quiet`: the server's quiet hours. `home`: the IANA zones that hold for numbers that say nothing of where they are.
    `window`: how many calls an account of a plan may make in how many seconds, None for any number.
    """

    orders: Orders
    quiet: QuietHours
    home: Sequence[str]
    window: Callable[[str], tuple[int, int] | None] = lambda _: None

    def next_call(self, session: Session, campaign_id: str, now: datetime) -> str | Step:
        """Order the next call of a campaign: the call's id, to be started once this transaction is committed."""
        campaign = locked(session, campaign_id)
        if campaign is None or campaign.status != Status.RUNNING:
            return Step.NOTHING
        rules = Rules.from_json(campaign.rules)
        try:
            hours = Hours(rules.window, self.quiet)
        except WindowShut as error:  # the server's quiet hours have changed since
            return _pause(campaign, f"The window {error}", now)
        if _calling(session, campaign_id) >= rules.concurrency or self._window_full(session, campaign.account_id, now):
            return Step.NOTHING
        due = _due(session, campaign_id, now)
        for contact in due:
            moment = hours.next_call(now, zones_of(contact.number) or self.home)
            if moment is None:
                _skip(contact, NO_COMMON_HOUR, now)
            elif moment > now:
                contact.due = moment
            else:
                return self._order(session, campaign, contact, now)
        return Step.MOVED if due else Step.NOTHING

    def _window_full(self, session: Session, account_id: str, now: datetime) -> bool:
        """Whether the account has made as many calls as its plan allows in a while, those over the API included."""
        window = self.window(session.get_one(Account, account_id).plan)
        if window is None:
            return False
        most, seconds = window
        query = select(func.count()).where(
            PhoneCall.account_id == account_id,
            PhoneCall.direction == "outbound",
            PhoneCall.created > now - timedelta(seconds=seconds),
        )
        return (session.scalar(query) or 0) >= most

    def _order(self, session: Session, campaign: Campaign, contact: CampaignContact, now: datetime) -> str | Step:
        try:
            with session.begin_nested():  # what a refused order has written goes, what follows from the refusal stays
                taken = session.execute(
                    update(CampaignContact)
                    .where(CampaignContact.id == contact.id, CampaignContact.status == ContactStatus.PENDING)
                    .values(status=ContactStatus.CALLING, attempts=CampaignContact.attempts + 1, updated=now)
                    .returning(CampaignContact.id)
                    .execution_options(synchronize_session=False)
                ).scalar_one_or_none()
                if taken is None:
                    return Step.MOVED
                call_id = self.orders.order(
                    session,
                    account_id=campaign.account_id,
                    agent_id=campaign.agent_id,
                    number=contact.number,
                    variables=contact.variables,
                    contact_id=contact.id,
                )
                _named(session, contact.id, call_id)
                return call_id
        except InsufficientCredits:
            return _pause(campaign, "The account has not enough credits for another call", now)
        except CallNotAllowed as refusal:
            return _refused(campaign, contact, refusal, now)


def _refused(campaign: Campaign, contact: CampaignContact, refusal: CallNotAllowed, now: datetime) -> Step:
    match follows(refusal.code):
        case Follows.WAIT:
            return Step.NOTHING
        case Follows.LATER:
            contact.due = now + POSTPONED
        case Follows.SKIP:
            _skip(contact, refusal.code.lower().replace("_", "-"), now)
        case Follows.PAUSE:
            return _pause(campaign, str(refusal), now)
    return Step.MOVED


def _calling(session: Session, campaign_id: str) -> int:
    query = select(func.count()).where(
        CampaignContact.campaign_id == campaign_id, CampaignContact.status == ContactStatus.CALLING
    )
    return session.scalar(query) or 0


def _due(session: Session, campaign_id: str, now: datetime) -> Sequence[CampaignContact]:
    query = (
        select(CampaignContact)
        .where(
            CampaignContact.campaign_id == campaign_id,
            CampaignContact.status == ContactStatus.PENDING,
            CampaignContact.due <= now,
        )
        .order_by(CampaignContact.due, CampaignContact.position)
        .limit(_PAGE)
    )
    return session.scalars(query).all()


def _named(session: Session, contact_id: int, call_id: str) -> None:
    session.execute(
        update(CampaignContact)
        .where(CampaignContact.id == contact_id)
        .values(call_id=call_id)
        .execution_options(synchronize_session=False)
    )


def _skip(contact: CampaignContact, outcome: str, now: datetime) -> None:
    contact.status, contact.outcome, contact.updated = ContactStatus.SKIPPED, outcome[:40], now


def _pause(campaign: Campaign, reason: str, now: datetime) -> Step:
    campaign.status, campaign.reason, campaign.updated = Status.PAUSED, reason[:200], now
    return Step.NOTHING
