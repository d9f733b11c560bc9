"""Idempotency-Key: a paid request that is repeated has one effect and one answer.

A key is claimed, the work done and the answer kept in one transaction. So there is no state between: of two requests at
once the second waits for the first one's commit in the database (in whatever process it runs) and reads its answer; if
the first fails or its process dies, nothing of it is there, and the second does the work. Only answers that had an
effect are kept: an error may be tried again with the same key.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.database.tables.credits import IdempotentAnswer
from server.gate.errors import Conflict, Invalid

KEPT: Final = timedelta(hours=24)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Claim:
    """A key of an account, and the hash of what is asked with it."""

    account_id: str
    key: str
    request: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer as it is kept."""

    status: int
    body: str


def claim_of(account_id: str, key: str, *, path: str, body: Any) -> Claim:
    """The claim of a request. Raises `Invalid` for what cannot be a key.

    Requests are the same when their path and their JSON value are, however that is written.
    """
    if not _KEY.fullmatch(key):
        raise Invalid("must be 1 to 255 printable ASCII characters without spaces", field="Idempotency-Key")
    value = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return Claim(account_id, key, hashlib.sha256(f"{path}\n{value}".encode()).hexdigest())


def find_answer(session: Session, claim: Claim) -> Stored | None:
    """The answer that this key has had, if it has. Raises `Conflict` if that was to another request."""
    row = session.execute(
        select(IdempotentAnswer.request, IdempotentAnswer.status, IdempotentAnswer.body).where(
            IdempotentAnswer.account_id == claim.account_id,
            IdempotentAnswer.key == claim.key,
            IdempotentAnswer.expires > datetime.now(UTC),
        )
    ).one_or_none()
    if row is None:
        return None
    if row.request != claim.request:
        raise Conflict("Idempotency-Key: this key was used for another request; take a new one")
    return Stored(row.status, row.body)


def answer_once(session: Session, claim: Claim, work: Callable[[], Stored]) -> Stored:
    """The answer to this claim: the one that is kept, else `work`'s, kept in this transaction. Raises `Conflict`."""
    now = datetime.now(UTC)
    # Also what makes room: nobody else has to clean up for an account that goes on using keys.
    session.execute(
        delete(IdempotentAnswer).where(
            IdempotentAnswer.account_id == claim.account_id, IdempotentAnswer.expires <= now
        ),
        execution_options={"synchronize_session": False},
    )
    insert = postgresql.insert if session.connection().dialect.name == "postgresql" else sqlite.insert
    claimed = session.execute(
        insert(IdempotentAnswer)
        .values(
            account_id=claim.account_id,
            key=claim.key,
            request=claim.request,
            status=0,
            body="",
            expires=now + KEPT,
        )
        .on_conflict_do_nothing(index_elements=[IdempotentAnswer.account_id, IdempotentAnswer.key])
        .returning(IdempotentAnswer.key)
    ).scalar_one_or_none()
    if claimed is None:  # whoever holds the key has committed by now
        found = find_answer(session, claim)
        if found is None:
            raise Conflict("Idempotency-Key: a request with this key is being answered; ask again in a moment")
        return found
    answer = work()
    session.execute(
        update(IdempotentAnswer)
        .where(IdempotentAnswer.account_id == claim.account_id, IdempotentAnswer.key == claim.key)
        .values(status=answer.status, body=answer.body),
        execution_options={"synchronize_session": False},
    )
    return answer
