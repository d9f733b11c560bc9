"""What the endpoints share that order renders: checks of what is asked for, and the order itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from server.fetching import FetchError, UrlPolicy, check_url
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import ApiError, Invalid
from server.jobs.jobs import Jobs, TooManyJobs
from server.jobs.shapes import Sign
from server.jobs.states import JobView
from server.renders.orders import Order
from server.renders.voices import NoVoice, Voices, base_language

RETRY_AFTER_S: Final = 10
"""Seconds after which an account with too many jobs under way may try again."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where renders are ordered.

    `sign`: the URL of a storage key. `price`: credits of an item, by its name in the price list. `policy`: which URLs
    may be given. `voices`: those of this server.
    """

    jobs: Jobs
    sign: Sign
    price: Callable[[str], int]
    policy: UrlPolicy
    voices: Callable[[], Voices]

    def check_url(self, url: str, field: str) -> str:
        """The URL, if it may be fetched as far as its text tells. Raises `Invalid`."""
        try:
            check_url(url, self.policy)
        except FetchError as error:
            raise Invalid(error.message, field=field) from error
        return url

    def voice(self, *, language: str | None, voice: str | None, field: str, kokoro: bool = False) -> str:
        """The voice that speaks. Raises `Invalid` which names the field: `field` for the voice, else language."""
        try:
            return self.voices().choose(language=language, voice=voice, kokoro=kokoro)
        except NoVoice as error:
            raise Invalid(str(error), field=field if voice is not None else "language") from error

    async def order(
        self,
        call: ApiCall[Any],
        order: Order,
        answer: Callable[[JobView], ApiResult],
        *,
        kind: str,
        family: str,
        item: str,
        price: int | None = None,
        job_id: str | None = None,
    ) -> ApiResult:
        """Take the credits and order the job, all or nothing, and answer with what it is now.

        `item` is what it is in the price list and in usage; `price`: credits, where they are known already. Raises
        `ApiError`, `InsufficientCredits`.
        """

        def work(session: Session) -> ApiResult:
            job = self.jobs.submit(
                session,
                kind=kind,
                payload=order.payload(),
                account_id=call.account.id,
                price=self.price(item) if price is None else price,
                family=family,
                item=item,
                job_id=job_id,
            )
            return answer(job)

        try:
            return await call.transact(work)
        except TooManyJobs as error:
            raise too_many(error) from error


def language_tag(language: str) -> str:
    """A language as BCP 47 writes it. Raises `Invalid`."""
    tag = language.replace("_", "-")
    try:
        base_language(tag)
    except ValueError as error:
        raise Invalid(str(error), field="language") from error
    return tag


def too_many(error: TooManyJobs) -> ApiError:
    """The answer to one job too many at once."""
    return ApiError(f"Too many jobs: {error}", status=429, headers={"retry-after": str(RETRY_AFTER_S)})
