"""GET and POST /api/keys, DELETE /api/keys/{id}, POST /api/keys/{id}/rotate."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.database import IssuedKey, KeyInfo, create_key, list_keys, revoke_key, rotate_key
from server.database.tables import ApiKey
from server.gate.auth import Authenticator
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Conflict, NotFound
from server.gate.families import Family
from server.gate.models import AnswerModel, CamelRequest, Said
from server.gate.registry import Endpoint
from server.platform.times import timestamp

MAX_KEYS: Final = 100
"""Valid keys of an account."""
PLAN: Final = "enterprise"


class KeyRequest(CamelRequest):
    """A key's name, for people."""

    name: Annotated[Said, Field(max_length=100)]


class Key(AnswerModel):
    """What may be shown of a key. `key`: itself, in the answer to its creation alone."""

    id: str
    name: str
    prefix: str
    created_at: str
    last_used_at: str | None
    revoked_at: str | None


class NewKey(Key):
    """A key, shown this once."""

    key: str


class KeyList(AnswerModel):
    """All keys of the account."""

    data: list[Key]


class KeyCreated(AnswerModel):
    """A key that was made."""

    data: NewKey


class KeyRevoked(AnswerModel):
    """A key that is refused from now on."""

    data: Key


class KeyDesk:
    """An account's keys. What is revoked here is refused at once by this process, and soon by others."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        common: dict[str, Any] = {"family": Family.F2, "least": PLAN}
        return [
            Endpoint(
                **common,
                method="GET",
                path="/api/keys",
                summary="List API keys",
                handler=self.show,
                answers={200: KeyList},
                limit="read",
            ),
            Endpoint(
                **common,
                method="POST",
                path="/api/keys",
                summary="Create an API key",
                description="The key is shown in this answer alone.",
                handler=self.create,
                body=KeyRequest,
                answers={201: KeyCreated},
                limit="write",
                errors=frozenset({409}),
            ),
            Endpoint(
                **common,
                method="DELETE",
                path="/api/keys/{id}",
                summary="Revoke an API key",
                handler=self.revoke,
                answers={200: KeyRevoked},
                limit="delete",
            ),
            Endpoint(
                **common,
                method="POST",
                path="/api/keys/{id}/rotate",
                summary="Rotate an API key",
                description="A new key of the same name takes its place at once; the old one is revoked.",
                handler=self.rotate,
                answers={201: KeyCreated},
                limit="write",
            ),
        ]

    async def show(self, call: ApiCall[None]) -> ApiResult:
        """The account's keys, revoked ones too."""
        keys = await call.database.read(list_keys, call.account.id)
        return ApiResult(KeyList(data=[_key(key) for key in keys]))

    async def create(self, call: ApiCall[KeyRequest]) -> ApiResult:
        """A new key. Raises `Conflict` where there are enough."""
        return _created(await call.database.run(_create, call.account.id, call.body.name))

    async def revoke(self, call: ApiCall[None]) -> ApiResult:
        """Refuse a key from now on; revoking it again changes nothing."""
        try:
            key = await call.database.run(revoke_key, call.path["id"], call.account.id)
        except LookupError:
            raise NotFound("There is no key of this id") from None
        self._authenticator.forget()
        return ApiResult(KeyRevoked(data=_key(key)))

    async def rotate(self, call: ApiCall[None]) -> ApiResult:
        """Put a new key in another's place."""
        try:
            issued = await call.database.run(rotate_key, call.path["id"], call.account.id)
        except LookupError:
            raise NotFound("There is no valid key of this id") from None
        self._authenticator.forget()
        return _created(issued)


def _create(session: Session, account_id: str, name: str) -> IssuedKey:
    valid = select(func.count()).select_from(ApiKey).where(ApiKey.account_id == account_id, ApiKey.revoked.is_(None))
    if (session.scalar(valid) or 0) >= MAX_KEYS:
        raise Conflict(f"An account has at most {MAX_KEYS} valid keys: revoke one first")
    return create_key(session, name, account_id)


def _created(issued: IssuedKey) -> ApiResult:
    return ApiResult(KeyCreated(data=NewKey(**_key(issued.info).model_dump(), key=issued.secret)))


def _key(info: KeyInfo) -> Key:
    return Key(
        id=info.id,
        name=info.name,
        prefix=info.prefix,
        created_at=timestamp(info.created),
        last_used_at=timestamp(info.last_used) if info.last_used else None,
        revoked_at=timestamp(info.revoked) if info.revoked else None,
    )
