"""Numbers of ours and the agents that answer them: those of the settings, and those that were mapped over the API.

While no number is mapped at all, every number reaches the agent that the webhook's URL names, or the default one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.calling.owners import AgentOwners, first_account
from server.database.tables import Account, PhoneNumber
from server.settings.phone import TelephonySettings


class NumberNotMapped(Exception):
    """The number cannot be mapped so; the text says why. `code`: taken, not-yours, no-agent or no-account."""

    def __init__(self, code: Literal["taken", "not-yours", "no-agent", "no-account"], message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class MappedNumber:
    """A number (E.164), its agent, and whose it is. `created`: None for those of the settings."""

    number: str
    agent_id: str
    account_id: str | None
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """All of them."""

    settings: TelephonySettings
    owners: AgentOwners

    def reached(self, session: Session, called: str, agent_id: str | None) -> MappedNumber | None:
        """Who answers a call to `called`; None: nobody. `agent_id`: where the webhook's URL names one.

        An agent never answers the number of an account that it does not belong to.
        """
        mapped = self.settings.numbers.get(called)
        if mapped is None and (row := session.get(PhoneNumber, called)) is not None:
            owned = self.owners.owns(session, row.account_id, row.agent_id)
            return MappedNumber(called, row.agent_id, row.account_id, row.created) if owned else None
        if mapped is None:
            if self.settings.numbers or session.scalar(select(PhoneNumber.number).limit(1)) is not None:
                return None
            mapped = agent_id or self.settings.default_agent
        account = self.owners.owner(session, mapped)
        return None if account is None else MappedNumber(called, mapped, account)

    def of(self, session: Session, account_id: str) -> list[MappedNumber]:
        """An account's numbers, the first account's all; those of the settings belong to the account of their agent."""
        operator = first_account(session) == account_id
        query = select(PhoneNumber).order_by(PhoneNumber.number)
        rows = session.scalars(query if operator else query.where(PhoneNumber.account_id == account_id))
        made = [MappedNumber(row.number, row.agent_id, row.account_id, row.created) for row in rows]
        configured = [
            MappedNumber(number, agent_id, account_id)
            for number, agent_id in sorted(self.settings.numbers.items())
            if self.owners.owns(session, account_id, agent_id)
        ]
        return configured + made

    def put(self, session: Session, account_id: str, number: str, agent_id: str, owner: str | None) -> MappedNumber:
        """Map a number, or map one of the account's own anew. Raises `NumberNotMapped`.

        The carrier's account is the operator's, and so are its numbers: only the first account gives them away, to
        itself or to `owner`; whoever has one says which agent answers it.
        """
        if number in self.settings.numbers:
            raise NumberNotMapped("taken", "is mapped in this server's settings (telephony.numbers)")
        operator = first_account(session) == account_id
        if owner not in (None, account_id) and not operator:
            raise NumberNotMapped("not-yours", "numbers are given to accounts by whoever runs this server")
        account = select(Account.id).where(Account.id == (owner or account_id))
        if session.scalar(account.with_for_update(key_share=True)) is None:
            raise NumberNotMapped("no-account", "there is no such account")
        row = session.get(PhoneNumber, number, with_for_update=True)
        if row is None and not operator:
            raise NumberNotMapped(
                "not-yours", "is not a number of yours: whoever runs this server gives it to your account first"
            )
        if row is not None and row.account_id != (owner or account_id):
            raise NumberNotMapped("taken", "is mapped already")
        if not self.owners.owns(session, owner or account_id, agent_id):
            raise NumberNotMapped("no-agent", "there is no such agent")
        if row is None:
            row = PhoneNumber(number=number, account_id=owner or account_id, created=datetime.now(UTC))
            session.add(row)
        row.agent_id = agent_id
        session.flush()
        return MappedNumber(number, agent_id, row.account_id, row.created)

    def remove(self, session: Session, account_id: str, number: str) -> MappedNumber | None:
        """Take away one of the account's numbers (the first account: anybody's); None where it has no such number."""
        row = session.get(PhoneNumber, number, with_for_update=True)
        if row is not None and account_id not in (row.account_id, first_account(session)):
            row = None
        if row is None:
            return None
        removed = MappedNumber(row.number, row.agent_id, row.account_id, row.created)
        session.delete(row)
        session.flush()
        return removed
