"""API keys: made, recognised, listed, rotated, revoked.

Only a hash is kept; keys are random enough that no salt is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.credits import ledger  # the module: it imports the tables, and so this package, first
from server.database.engine import lock_setup
from server.database.tables.accounts import Account, ApiKey

KEY_START = "sk_live_"
PREFIX_LENGTH = 16
FIRST_PLAN = "enterprise"
FIRST_CREDITS = 100_000
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


@dataclass(frozen=True, slots=True)
class Identity:
    """The account that a key speaks for: its id, name and plan."""

    id: str
    name: str
    plan: str
    key: KeyInfo


def first_key(session: Session, bootstrap: str | None = None, *, credits: int = FIRST_CREDITS) -> IssuedKey | None:  # noqa: A002 - their name
    """On a database without accounts: create the operator's account and its key (`bootstrap`, or random). Else None."""
    lock_setup(session.connection())
    if session.scalar(select(Account.id).limit(1)) is not None:
        return None
    account_id = create_account(session, "default", plan=FIRST_PLAN, credits=credits)
    return _issue(session, account_id, "first", bootstrap or new_secret())


def create_account(session: Session, name: str, *, plan: str, credits: int = 0) -> str:  # noqa: A002 - their name
    """Make an account with so many credits; returns its id."""
    account = Account(id=_new_id("acct"), name=name, created=datetime.now(UTC), plan=plan)
    session.add(account)
    session.flush()
    if credits:
        ledger.grant(session, account.id, credits, f"plan {plan}")
    return account.id


def create_key(session: Session, name: str, account_id: str | None = None) -> IssuedKey:
    """Make a key for an account (default: the first one). Raises `LookupError` where there is none."""
    if account_id is None:
        account_id = session.scalar(select(Account.id).order_by(Account.created).limit(1))
    if account_id is None or session.get(Account, account_id) is None:
        raise LookupError("there is no such account; start the server once to create the first")
    return _issue(session, account_id, name, new_secret())


def authenticate(session: Session, secret: str) -> KeyInfo | None:
    """The key that this is, unless it is unknown or revoked. Its last use is noted."""
    found = _recognise(session, secret, note=True)
    return None if found is None else _info(found)


def identify(session: Session, secret: str) -> Identity | None:
    """Whom the key speaks for; nothing is noted, see `note_use`."""
    found = _recognise(session, secret, note=False)
    if found is None:
        return None
    account = session.get_one(Account, found.account_id)
    return Identity(account.id, account.name, account.plan, _info(found))


def identify_by_id(session: Session, key_id: str) -> Identity | None:
    """Whom the key of this id speaks for, unless it is revoked."""
    found = session.get(ApiKey, key_id)
    if found is None or found.revoked is not None:
        return None
    account = session.get_one(Account, found.account_id)
    return Identity(account.id, account.name, account.plan, _info(found))


def is_noted(key: KeyInfo) -> bool:
    """Whether the key's last use is so recent that it need not be noted again."""
    return key.last_used is not None and datetime.now(UTC) - key.last_used < _LAST_USED_STEP


def note_use(session: Session, key_id: str) -> None:
    """Note that a key is used now."""
    session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used=datetime.now(UTC)))


def _recognise(session: Session, secret: str, *, note: bool) -> ApiKey | None:
    if not secret.isascii():  # no key of ours, and not every such text can be looked up
        return None
    digest = _hash(secret)
    found: ApiKey | None = None
    for key in session.scalars(select(ApiKey).where(ApiKey.prefix == secret[:PREFIX_LENGTH])):
        if hmac.compare_digest(key.hash, digest):
            found = key
    if found is None or found.revoked is not None:
        return None
    if note and not is_noted(_info(found)):
        found.last_used = datetime.now(UTC)
    return found


def list_keys(session: Session, account_id: str | None = None) -> list[KeyInfo]:
    """The keys of an account, or all there are, the oldest first."""
    query = select(ApiKey).order_by(ApiKey.created, ApiKey.id)
    if account_id is not None:
        query = query.where(ApiKey.account_id == account_id)
    return [_info(key) for key in session.scalars(query)]


def revoke_key(session: Session, which: str, account_id: str | None = None) -> KeyInfo:
    """Revoke the key with this id or prefix, at once and for good; only one of `account_id`, where that is given.

    Raises `LookupError` where there is none or `which` fits several.
    """
    key = _one(session, which, account_id)
    if key.revoked is None:
        key.revoked = datetime.now(UTC)
    return _info(key)


def rotate_key(session: Session, which: str, account_id: str | None = None) -> IssuedKey:
    """Put a new key of the same name in this one's place, which is revoked.

    Raises `LookupError` as `revoke_key` does, also for a key that is revoked already.
    """
    key = _one(session, which, account_id)
    if key.revoked is not None:
        raise LookupError(f"{which} is revoked: create a new key")
    key.revoked = datetime.now(UTC)
    return _issue(session, key.account_id, key.name, new_secret())


def _one(session: Session, which: str, account_id: str | None) -> ApiKey:
    query = select(ApiKey).where((ApiKey.id == which) | (ApiKey.prefix == which)).with_for_update()
    if account_id is not None:
        query = query.where(ApiKey.account_id == account_id)
    keys = list(session.scalars(query))
    if len(keys) != 1:
        raise LookupError(f"{which} is the id or prefix of {len(keys) or 'no'} keys")
    return keys[0]


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
