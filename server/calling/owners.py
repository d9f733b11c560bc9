"""Whose an agent is: calls cost the account of their agent, and nobody calls with another's."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.database.tables import Account, MadeAgent


@dataclass(frozen=True, slots=True)
class AgentOwners:
    """`configured`: ids of the agents of the settings' folder; they belong to the server's first account."""

    configured: Callable[[], Collection[str]]

    def owner(self, session: Session, agent_id: str) -> str | None:
        """The account of an agent that can be talked to now; None for visitors' agents and those that are not there."""
        if agent_id in self.configured():
            return first_account(session)
        row = session.get(MadeAgent, agent_id)
        if row is None or row.status != "ready":
            return None
        return None if row.expires is not None and row.expires <= datetime.now(UTC) else row.account_id

    def owns(self, session: Session, account_id: str, agent_id: str) -> bool:
        """Whether the agent is there and this account's."""
        return self.owner(session, agent_id) == account_id


def first_account(session: Session) -> str | None:
    """The account of whoever runs the server."""
    return session.scalar(select(Account.id).order_by(Account.created, Account.id).limit(1))
