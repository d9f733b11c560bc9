"""Who wants to hear of what: F1's registered URLs, and an account's URL and secret. In the caller's transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from server.database.tables import Account, WebhookEndpoint
from server.webhooks.bodies import F1_EVENTS
from server.webhooks.signing import new_secret

MAX_ENDPOINTS: Final = 20
ACCOUNT: Final = "account"
REQUEST: Final = "request"


class TooManyEndpoints(Exception):
    """An account may register so many."""

    def __init__(self) -> None:
        super().__init__(f"an account has at most {MAX_ENDPOINTS} webhooks; delete one first")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A registered URL, without its secret."""

    id: str
    url: str
    events: tuple[str, ...]
    created: datetime
    disabled: datetime | None


def register(session: Session, account_id: str, url: str, events: Sequence[str] = F1_EVENTS) -> tuple[Endpoint, str]:
    """Register a URL that has been checked; returns it with its secret, which is not shown again.

    Raises `TooManyEndpoints`.
    """
    count = select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.account_id == account_id)
    if (session.scalar(count) or 0) >= MAX_ENDPOINTS:
        raise TooManyEndpoints
    row = WebhookEndpoint(
        id=f"wh_{secrets.token_hex(12)}",
        account_id=account_id,
        url=url,
        events=sorted(set(events)),
        secret=new_secret(),
        created=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    return _endpoint(row), row.secret


def endpoints(session: Session, account_id: str) -> list[Endpoint]:
    """An account's registered URLs, the oldest first."""
    return [_endpoint(row) for row in _rows(session, account_id)]


def unregister(session: Session, account_id: str, endpoint_id: str) -> bool:
    """Remove one, and with it what still waits to be sent there; whether it was there."""
    removed = session.execute(
        delete(WebhookEndpoint)
        .where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.account_id == account_id)
        .returning(WebhookEndpoint.id)
    )
    return removed.first() is not None


def account_secret(session: Session, account_id: str) -> str:
    """The secret that signs F2, F4 and F5, made when it is first needed. Raises `LookupError` for no such account."""
    made = new_secret()
    session.execute(
        update(Account)
        .where(Account.id == account_id, Account.webhook_secret.is_(None))
        .values(webhook_secret=made)
        .execution_options(synchronize_session=False)
    )
    secret = session.scalar(select(Account.webhook_secret).where(Account.id == account_id))
    if secret is None:
        raise LookupError(account_id)
    return secret


def targets(
    session: Session, account_id: str, family: str, event: str, webhook_url: str | None
) -> list[tuple[str, str]]:
    """Where an event of a family goes: target and URL. F1 to its registered URLs, F2 and F5 to the account's, F4 to the
    request's; never crossed."""
    if family == "F1":
        rows = _rows(session, account_id)
        return [(row.id, row.url) for row in rows if row.disabled is None and event in row.events]
    if family == "F4":
        return [(REQUEST, webhook_url)] if webhook_url else []
    url = session.scalar(select(Account.webhook_url).where(Account.id == account_id))
    return [(ACCOUNT, url)] if url else []


def secret_of(session: Session, account_id: str, target: str) -> str | None:
    """What signs messages to a target; None: the endpoint is gone."""
    if target in (ACCOUNT, REQUEST):
        return account_secret(session, account_id)
    return session.scalar(select(WebhookEndpoint.secret).where(WebhookEndpoint.id == target))


def url_of(session: Session, account_id: str, target: str) -> str | None:
    """Where a target is now; None: it is gone, disabled, or came with a request."""
    if target == ACCOUNT:
        return session.scalar(select(Account.webhook_url).where(Account.id == account_id))
    query = select(WebhookEndpoint.url).where(WebhookEndpoint.id == target, WebhookEndpoint.disabled.is_(None))
    return session.scalar(query)


def disable(session: Session, account_id: str, target: str, url: str) -> None:
    """The receiver said that it is gone (410): send nothing there any more."""
    if target == ACCOUNT:
        session.execute(
            update(Account).where(Account.id == account_id, Account.webhook_url == url).values(webhook_url=None)
        )
    elif target != REQUEST:
        session.execute(
            update(WebhookEndpoint)
            .where(WebhookEndpoint.id == target, WebhookEndpoint.url == url)
            .values(disabled=datetime.now(UTC))
        )


def _rows(session: Session, account_id: str) -> Sequence[WebhookEndpoint]:
    query = select(WebhookEndpoint).where(WebhookEndpoint.account_id == account_id)
    return session.scalars(query.order_by(WebhookEndpoint.created, WebhookEndpoint.id)).all()


def _endpoint(row: WebhookEndpoint) -> Endpoint:
    return Endpoint(row.id, row.url, tuple(row.events), row.created, row.disabled)
