"""API keys: made, recognised, listed, revoked. Only a hash is kept; keys are random enough that no salt is needed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.database.engine import lock_setup
from server.database.tables import Account, ApiKey

KEY_START = "sk_live_"
PREFIX_LENGTH = 16
_LAST_USED_STEP = timedelta(minutes=1)
"""Last use is kept to the minute: a write for every request would cost more than it tells."""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be shown of a key."""

    id: str
    account_id: str
    name: str
    prefix: str
    created: datetime
    last_used: datetime | None
    revoked: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key: `secret` is known now and never again."""

    info: KeyInfo
    secret: str


def first_key(session: Session, bootstrap: str | None = None) -> IssuedKey | None:
    """On a database without accounts: create the first one and its key (`bootstrap`, or random). Else None."""
    lock_setup(session.connection())
    if session.scalar(select(Account.id).limit(1)) is not None:
        return None
    account = Account(id=_new_id("acct"), name="default", created=datetime.now(UTC))
    session.add(account)
    session.flush()
    return _issue(session, account.id, "first", bootstrap or new_secret())


def create_key(session: Session, name: str, account_id: str | None = None) -> IssuedKey:
    """Make a key for an account (default: the first one). Raises `LookupError` where there is none."""
    if account_id is None:
        account_id = session.scalar(select(Account.id).order_by(Account.created).limit(1))
    if account_id is None or session.get(Account, account_id) is None:
        raise LookupError("there is no such account; start the server once to create the first")
    return _issue(session, account_id, name, new_secret())


def authenticate(session: Session, secret: str) -> KeyInfo | None:
    """The key that this is, unless it is unknown or revoked. Its last use is noted."""
    if not secret.isascii():  # no key of ours, and not every such text can be looked up
        return None
    digest = _hash(secret)
    found: ApiKey | None = None
    for key in session.scalars(select(ApiKey).where(ApiKey.prefix == secret[:PREFIX_LENGTH])):
        if hmac.compare_digest(key.hash, digest):
            found = key
    if found is None or found.revoked is not None:
        return None
    now = datetime.now(UTC)
    if found.last_used is None or now - found.last_used >= _LAST_USED_STEP:
        found.last_used = now
    return _info(found)


def list_keys(session: Session) -> list[KeyInfo]:
    """All keys, the oldest first."""
    return [_info(key) for key in session.scalars(select(ApiKey).order_by(ApiKey.created, ApiKey.id))]


def revoke_key(session: Session, which: str) -> KeyInfo:
    """Revoke the key with this id or prefix, at once and for good.

    Raises `LookupError` where there is none or `which` fits several.
    """
    keys = list(session.scalars(select(ApiKey).where((ApiKey.id == which) | (ApiKey.prefix == which))))
    if len(keys) != 1:
        raise LookupError(f"{which} is the id or prefix of {len(keys) or 'no'} keys")
    if keys[0].revoked is None:
        keys[0].revoked = datetime.now(UTC)
    return _info(keys[0])


def new_secret() -> str:
    """A random key."""
    return KEY_START + secrets.token_urlsafe(32)


def _issue(session: Session, account_id: str, name: str, secret: str) -> IssuedKey:
    key = ApiKey(
        id=_new_id("key"),
        account_id=account_id,
        name=name,
        prefix=secret[:PREFIX_LENGTH],
        hash=_hash(secret),
        created=datetime.now(UTC),
    )
    session.add(key)
    session.flush()
    return IssuedKey(_info(key), secret)


def _info(key: ApiKey) -> KeyInfo:
    return KeyInfo(key.id, key.account_id, key.name, key.prefix, key.created, key.last_used, key.revoked)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(8)}"
