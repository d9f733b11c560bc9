"""Campaigns in the database, as their owners make, read and change them. Functions of a session.

Whoever changes a campaign, or takes one of its contacts to call, locks its row first, and then what a call needs.
Whoever ends a call has that locked already and does not touch the campaign's row: so nobody waits in a circle.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.orm import Session

from server.campaigns.contacts import MOST_CONTACTS, Contact
from server.campaigns.results import Result
from server.campaigns.rules import Rules
from server.database.tables import Campaign, CampaignContact, PhoneCall


class Status(StrEnum):
    """What a campaign does. Cancelled and completed are final."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class ContactStatus(StrEnum):
    """Where a contact stands: waiting for a call, in one, called, or not to be called."""

    PENDING = "pending"
    CALLING = "calling"
    DONE = "done"
    SKIPPED = "skipped"


CALLED_OFF: Final = "cancelled"
"""The outcome of contacts that a cancelled campaign has not called."""
_OPEN: Final = (ContactStatus.PENDING, ContactStatus.CALLING)
_GOES_ON: Final = (Status.RUNNING, Status.PAUSED)


class CampaignEnded(Exception):
    """It is completed or cancelled, and nothing of it changes any more."""


class TooManyContacts(Exception):
    """The campaign would have more than `MOST_CONTACTS`; none were added."""


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign. `contacts`: how many are in each status; `outcomes`: what came of those that are done or skipped."""

    id: str
    agent_id: str
    name: str
    status: Status
    reason: str | None
    rules: Rules
    contacts: Mapping[str, int]
    outcomes: Mapping[str, int]
    created: datetime
    updated: datetime
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class Added:
    """Contacts that are in the campaign now; `already`: those that were before and stay as they are."""

    added: int
    already: int


def create(
    session: Session,
    account_id: str,
    *,
    name: str,
    agent_id: str,
    rules: Rules,
    contacts: Sequence[Contact],
    now: datetime,
) -> CampaignView:
    """Begin a campaign. The contacts' numbers differ."""
    campaign = Campaign(
        id=f"campaign_{secrets.token_hex(8)}",
        account_id=account_id,
        agent_id=agent_id,
        name=name,
        status=Status.RUNNING,
        reason=None,
        rules=rules.as_json(),
        created=now,
        updated=now,
        finished=None,
    )
    session.add(campaign)
    session.flush()
    _insert(session, campaign.id, contacts, first=0, now=now)
    return _views(session, [campaign])[0]


def add(
    session: Session, account_id: str, campaign_id: str, contacts: Sequence[Contact], now: datetime
) -> Added | None:
    """Add people to an account's campaign; those who are in it already stay as they are, so that an upload may be
    repeated. None: there is no such campaign. Raises `CampaignEnded`, `TooManyContacts`.
    """
    campaign = locked(session, campaign_id)
    if campaign is None or campaign.account_id != account_id:
        return None
    if campaign.status not in _GOES_ON:
        raise CampaignEnded
    places = session.execute(
        select(CampaignContact.number, CampaignContact.position).where(CampaignContact.campaign_id == campaign_id)
    ).all()
    there = {number for number, _ in places}
    new = [contact for contact in contacts if contact.number not in there]
    if len(there) + len(new) > MOST_CONTACTS:
        raise TooManyContacts
    _insert(session, campaign_id, new, first=max((place for _, place in places), default=-1) + 1, now=now)
    campaign.updated = now
    return Added(len(new), len(contacts) - len(new))


def find(session: Session, account_id: str, campaign_id: str) -> CampaignView | None:
    """An account's campaign."""
    campaign = session.get(Campaign, campaign_id)
    if campaign is None or campaign.account_id != account_id:
        return None
    return _views(session, [campaign])[0]


def page(session: Session, account_id: str, *, limit: int, after: str | None) -> tuple[list[CampaignView], bool]:
    """An account's campaigns, the newest first, and whether there are more. Raises `LookupError` for a bad `after`."""
    query = select(Campaign).where(Campaign.account_id == account_id)
    if after is not None:
        last = session.get(Campaign, after)
        if last is None or last.account_id != account_id:
            raise LookupError(after)
        older = and_(Campaign.created == last.created, Campaign.id < last.id)
        query = query.where(or_(Campaign.created < last.created, older))
    rows = list(session.scalars(query.order_by(Campaign.created.desc(), Campaign.id.desc()).limit(limit + 1)))
    return _views(session, rows[:limit]), len(rows) > limit


def results(session: Session, account_id: str, campaign_id: str) -> list[Result] | None:
    """All contacts of an account's campaign, in their order; None: there is no such campaign."""
    campaign = session.get(Campaign, campaign_id)
    if campaign is None or campaign.account_id != account_id:
        return None
    spent = (
        select(
            PhoneCall.contact_id, func.sum(PhoneCall.cost).label("cost"), func.max(PhoneCall.created).label("called")
        )
        .join(CampaignContact, CampaignContact.id == PhoneCall.contact_id)
        .where(CampaignContact.campaign_id == campaign_id)
        .group_by(PhoneCall.contact_id)
        .subquery()
    )
    query = (
        select(CampaignContact, PhoneCall.seconds, spent.c.cost, spent.c.called)
        .outerjoin(PhoneCall, PhoneCall.call_id == CampaignContact.call_id)
        .outerjoin(spent, spent.c.contact_id == CampaignContact.id)
        .where(CampaignContact.campaign_id == campaign_id)
        .order_by(CampaignContact.position)
    )
    return [
        Result(
            number=contact.number,
            status=contact.status,
            outcome=contact.outcome,
            attempts=contact.attempts,
            call_id=contact.call_id,
            seconds=seconds,
            cost=cost or 0,
            called=called,
            variables=contact.variables,
        )
        for contact, seconds, cost, called in session.execute(query)
    ]


def pause(session: Session, account_id: str, campaign_id: str, now: datetime) -> CampaignView | None:
    """Call nobody more for now; calls under way go on. None: there is no such campaign. Raises `CampaignEnded`."""
    return _turn(session, account_id, campaign_id, Status.PAUSED, now)


def resume(session: Session, account_id: str, campaign_id: str, now: datetime) -> CampaignView | None:
    """Go on with a campaign that is paused, whoever paused it. Raises `CampaignEnded`."""
    return _turn(session, account_id, campaign_id, Status.RUNNING, now)


def cancel(session: Session, account_id: str, campaign_id: str, now: datetime) -> CampaignView | None:
    """Call nobody more, ever; calls under way go on. Raises `CampaignEnded` where it is completed."""
    campaign = locked(session, campaign_id)
    if campaign is None or campaign.account_id != account_id:
        return None
    if campaign.status == Status.COMPLETED:
        raise CampaignEnded
    if campaign.status != Status.CANCELLED:
        campaign.status, campaign.reason, campaign.updated = Status.CANCELLED, None, now
        session.flush()
    close_if_over(session, campaign, now)
    return _views(session, [campaign])[0]


def locked(session: Session, campaign_id: str) -> Campaign | None:
    """The row, which is this transaction's alone until its end."""
    return session.scalar(select(Campaign).where(Campaign.id == campaign_id).with_for_update())


def close_if_over(session: Session, campaign: Campaign, now: datetime) -> bool:
    """End a (locked) campaign that has nobody left to call; of a cancelled one, skip who was left. Whether it ended."""
    if campaign.status == Status.CANCELLED:
        session.execute(
            update(CampaignContact)
            .where(CampaignContact.campaign_id == campaign.id, CampaignContact.status == ContactStatus.PENDING)
            .values(status=ContactStatus.SKIPPED, outcome=CALLED_OFF, updated=now)
            .execution_options(synchronize_session=False)
        )
    left = select(CampaignContact.id).where(
        CampaignContact.campaign_id == campaign.id, CampaignContact.status.in_(_OPEN)
    )
    if campaign.finished is not None or session.scalar(left.limit(1)) is not None:
        return False
    campaign.finished = campaign.updated = now
    if campaign.status != Status.CANCELLED:
        campaign.status, campaign.reason = Status.COMPLETED, None
    session.flush()
    return True


def _turn(session: Session, account_id: str, campaign_id: str, status: Status, now: datetime) -> CampaignView | None:
    campaign = locked(session, campaign_id)
    if campaign is None or campaign.account_id != account_id:
        return None
    if campaign.status not in _GOES_ON:
        raise CampaignEnded
    if campaign.status != status:
        campaign.status, campaign.reason, campaign.updated = status, None, now
        session.flush()
    return _views(session, [campaign])[0]


def _insert(session: Session, campaign_id: str, contacts: Iterable[Contact], *, first: int, now: datetime) -> None:
    rows: list[dict[str, Any]] = [
        {
            "campaign_id": campaign_id,
            "position": position,
            "number": contact.number,
            "variables": dict(contact.variables),
            "status": ContactStatus.PENDING,
            "attempts": 0,
            "due": now,
            "outcome": None,
            "call_id": None,
            "updated": now,
        }
        for position, contact in enumerate(contacts, first)
    ]
    if rows:
        session.execute(insert(CampaignContact), rows)


def _views(session: Session, campaigns: Sequence[Campaign]) -> list[CampaignView]:
    columns = (CampaignContact.campaign_id, CampaignContact.status, CampaignContact.outcome)
    query = select(*columns, func.count()).where(CampaignContact.campaign_id.in_([each.id for each in campaigns]))
    statuses: dict[str, dict[str, int]] = {each.id: dict.fromkeys(ContactStatus, 0) for each in campaigns}
    outcomes: dict[str, dict[str, int]] = {each.id: {} for each in campaigns}
    for campaign_id, status, outcome, count in session.execute(query.group_by(*columns).order_by(*columns)):
        statuses[campaign_id][status] += count
        if status not in _OPEN and outcome is not None:
            outcomes[campaign_id][outcome] = outcomes[campaign_id].get(outcome, 0) + count
    return [
        CampaignView(
            each.id,
            each.agent_id,
            each.name,
            Status(each.status),
            each.reason,
            Rules.from_json(each.rules),
            statuses[each.id],
            outcomes[each.id],
            each.created,
            each.updated,
            each.finished,
        )
        for each in campaigns
    ]
