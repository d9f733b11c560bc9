"""F2: numbers that an account's agents do not call."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from server.calling import do_not_call
from server.calling.do_not_call import AskedNotToBeCalled, Listed
from server.families.call_shapes import Number
from server.families.phone_numbers import check_number
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Forbidden, NotFound
from server.gate.families import Family
from server.gate.models import AnswerModel, CamelRequest, QueryModel
from server.gate.registry import Endpoint
from server.jobs.shapes import timestamp

PATH: Final = "/api/voice-agent/do-not-call"


class ListingRequest(CamelRequest):
    """A number that is not called."""

    number: Number


class ListingQuery(QueryModel):
    """Which part of the list, by number: the first `limit`, or those after the number `startingAfter`."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    starting_after: Annotated[str | None, Field(alias="startingAfter", max_length=40)] = None


class ListedNumber(AnswerModel):
    """A number that is not called. `source`: callee, who has asked for it on the telephone, or owner."""

    number: str
    source: Literal["callee", "owner"]
    created_at: str


class ListedAnswer(AnswerModel):
    """One number."""

    data: ListedNumber


class ListingAnswer(AnswerModel):
    """A page of the list."""

    data: list[ListedNumber]
    has_more: bool


class DoNotCallList:
    """The endpoints."""

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            Endpoint(
                family=Family.F2,
                method="GET",
                path=PATH,
                summary="List numbers that are not called",
                handler=self.list,
                query=ListingQuery,
                answers={200: ListingAnswer},
                limit="read",
            ),
            Endpoint(
                family=Family.F2,
                method="POST",
                path=PATH,
                summary="Call a number no more",
                handler=self.add,
                body=ListingRequest,
                answers={201: ListedAnswer},
                limit="write",
            ),
            Endpoint(
                family=Family.F2,
                method="DELETE",
                path=f"{PATH}/{{number}}",
                summary="Call a number again",
                description="A number whose owner has asked on the telephone not to be called stays on the list.",
                handler=self.remove,
                answers={200: ListedAnswer},
                limit="delete",
                errors=frozenset({403}),
            ),
        ]

    async def list(self, call: ApiCall[None]) -> ApiResult:
        """GET /api/voice-agent/do-not-call."""
        query: ListingQuery = call.query
        after = query.starting_after
        if after is not None and after.startswith(" "):  # a plus that was not escaped in the URL
            after = f"+{after[1:]}"
        found, more = await call.database.read(do_not_call.page, call.account.id, limit=query.limit, after=after)
        return ApiResult(ListingAnswer(data=[_shown(each) for each in found], has_more=more))

    async def add(self, call: ApiCall[ListingRequest]) -> ApiResult:
        """POST /api/voice-agent/do-not-call."""
        number = check_number(call.body.number)
        listed = await call.database.run(do_not_call.add, call.account.id, number, "owner")
        return ApiResult(ListedAnswer(data=_shown(listed)))

    async def remove(self, call: ApiCall[None]) -> ApiResult:
        """DELETE /api/voice-agent/do-not-call/{number}."""
        try:
            removed = await call.database.run(do_not_call.remove, call.account.id, call.path["number"])
        except AskedNotToBeCalled:
            raise Forbidden("Whoever has this number has asked not to be called: it stays on the list") from None
        if removed is None:
            raise NotFound("The number is not on the list")
        return ApiResult(ListedAnswer(data=_shown(removed)))


def _shown(listed: Listed) -> ListedNumber:
    source: Literal["callee", "owner"] = "callee" if listed.source == "callee" else "owner"
    return ListedNumber(number=listed.number, source=source, created_at=timestamp(listed.created))
