"""What a call that has ended means for its contact: done, or due again. In the transaction that ends the call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from server.campaigns.rules import Rules
from server.campaigns.store import ContactStatus, Status, close_if_over, locked
from server.database.tables import Campaign, CampaignContact, PhoneCall
from server.phone.book import Outcome
from telephony.progress import CallState

LOST: Final = "unknown"
"""The outcome of a call of which nobody knows whether the telephone rang. It is not tried again: nobody is called
twice by mistake."""
MOST_NOT_PLACED: Final = 3
"""Calls of a contact that were never made, and do not count as tries."""
NOT_PLACED_PAUSE: Final = timedelta(minutes=1)
NOTHING_IS_PLACED: Final = 10
"""A campaign of whose calls so many in a row were not made is paused."""
_ENDED: Final = tuple(state.value for state in CallState if state.ended)
_BATCH: Final = 200
_LEARNT: Final = frozenset(
    {Outcome.BUSY, Outcome.MESSAGE_LEFT, Outcome.NOT_IN_SERVICE, Outcome.OPTED_OUT, Outcome.TRANSFERRED}
)
"""Outcomes of answered calls that say more than that. Of these `busy`, which the network said in words, may be tried
again."""


def outcome_of(call: PhoneCall) -> str:
    """What a call came to: answered, machine, busy, no-answer, failed, canceled, or what was learnt in it."""
    if call.state != CallState.COMPLETED.value:
        return call.state
    if call.outcome in _LEARNT:
        return call.outcome
    return "machine" if call.answered_by == "machine" else "answered"


def call_ended(session: Session, call: PhoneCall, *, now: datetime | None = None) -> None:
    """A call has reached its final state, or has another one now; calls of no campaign are passed over.

    A contact who was called again in the meantime, or was called off, stays as it is.
    """
    now = now or datetime.now(UTC)
    if call.contact_id is None:
        return
    contact = session.get(CampaignContact, call.contact_id, with_for_update=True)
    if contact is None or contact.call_id != call.call_id or contact.status == ContactStatus.SKIPPED:
        return
    campaign = session.get_one(Campaign, contact.campaign_id)
    if contact.status != ContactStatus.CALLING and contact.outcome == outcome_of(call):  # told already
        return
    contact.outcome, contact.updated = outcome_of(call), now
    wait = Rules.from_json(campaign.rules).again_after(contact.outcome, contact.attempts)
    if call.state == CallState.FAILED.value and call.outcome == Outcome.NOT_PLACED:
        wait = _without_a_try(session, call, contact) or wait
        _pause_where_nothing_is_placed(session, call, campaign, now)
    if wait is not None and campaign.status in (Status.RUNNING, Status.PAUSED):
        contact.status, contact.due = ContactStatus.PENDING, now + wait
    else:
        contact.status = ContactStatus.DONE
    session.flush()


def _without_a_try(session: Session, call: PhoneCall, contact: CampaignContact) -> timedelta | None:
    """After a call that was never made, another may be, and the lost one does not count; but not for ever."""
    query = select(func.count()).where(PhoneCall.contact_id == contact.id, PhoneCall.outcome == Outcome.NOT_PLACED)
    if (session.scalar(query) or 0) > MOST_NOT_PLACED:
        return None
    contact.attempts = max(0, contact.attempts - 1)
    return NOT_PLACED_PAUSE


def _pause_where_nothing_is_placed(session: Session, call: PhoneCall, campaign: Campaign, now: datetime) -> None:
    """A carrier that makes no call any more would use up the whole list: its owner has to look into it."""
    query = (
        select(PhoneCall.outcome)
        .join(CampaignContact, CampaignContact.id == PhoneCall.contact_id)
        .where(CampaignContact.campaign_id == campaign.id, PhoneCall.created >= campaign.updated)
        .where(PhoneCall.state.in_(_ENDED))
        .order_by(PhoneCall.updated.desc())
        .limit(NOTHING_IS_PLACED)
    )
    last = list(session.scalars(query))
    if len(last) < NOTHING_IS_PLACED or set(last) != {Outcome.NOT_PLACED}:
        return
    session.execute(
        update(Campaign)
        .where(Campaign.id == campaign.id, Campaign.status == Status.RUNNING)
        .values(status=Status.PAUSED, reason=f"Calls are not placed: {call.error or 'failed'}"[:200], updated=now)
        .execution_options(synchronize_session=False)
    )


def settle_lost(session: Session, now: datetime) -> int:
    """Contacts whose call has ended, or is gone, where nobody told: processes of another release. How many there were.

    A batch of them.
    """
    query = (
        select(CampaignContact, PhoneCall)
        .outerjoin(PhoneCall, PhoneCall.call_id == CampaignContact.call_id)
        .where(
            CampaignContact.status == ContactStatus.CALLING,
            or_(PhoneCall.call_id.is_(None), PhoneCall.state.in_(_ENDED)),
        )
        .limit(_BATCH)
    )
    found = session.execute(query).all()
    for contact, call in found:
        if call is not None:
            call_ended(session, call, now=now)
        else:
            contact.status, contact.outcome, contact.updated = ContactStatus.DONE, LOST, now
    return len(found)


def unfinished(session: Session) -> list[str]:
    """Campaigns that may be over: cancelled ones, and those with nobody left to call."""
    left = select(CampaignContact.id).where(
        CampaignContact.campaign_id == Campaign.id,
        CampaignContact.status.in_((ContactStatus.PENDING, ContactStatus.CALLING)),
    )
    query = select(Campaign.id).where(Campaign.finished.is_(None))
    return list(session.scalars(query.where(or_(Campaign.status == Status.CANCELLED, ~left.exists()))))


def finish(session: Session, campaign_id: str, now: datetime) -> bool:
    """End a campaign that is over; whether it was."""
    campaign = locked(session, campaign_id)
    return campaign is not None and close_if_over(session, campaign, now)


def ready(session: Session, now: datetime) -> list[tuple[str, str]]:
    """Running campaigns that have somebody due: their accounts and ids."""
    due = select(CampaignContact.id).where(
        CampaignContact.campaign_id == Campaign.id,
        CampaignContact.status == ContactStatus.PENDING,
        CampaignContact.due <= now,
    )
    query = select(Campaign.account_id, Campaign.id).where(Campaign.status == Status.RUNNING, due.exists())
    return [(account_id, campaign_id) for account_id, campaign_id in session.execute(query)]
