"""F2: numbers of ours and the agents that answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from server.calling.numbers import MappedNumber, NumberNotMapped, Numbers
from server.families.call_shapes import Number
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from server.gate.families import Family
from server.gate.models import AnswerModel, CamelRequest, Identifier
from server.gate.registry import Endpoint
from server.jobs.shapes import timestamp
from telephony.numbers import country_of

PATH: Final = "/api/voice-agent/numbers"
E164: Final = "must be a telephone number in E.164 form, as +14155550123"


class NumberRequest(CamelRequest):
    """A number, and the agent that answers it. `accountId`: whose it is; only the first account gives numbers away."""

    number: Number
    agent_id: Identifier
    account_id: Identifier | None = None


class PhoneNumber(AnswerModel):
    """A number and its agent. `createdAt`: null for those of the server's settings."""

    number: str
    agent_id: str
    account_id: str | None
    created_at: str | None


class NumberAnswer(AnswerModel):
    """One number."""

    data: PhoneNumber


class NumbersAnswer(AnswerModel):
    """The account's numbers."""

    data: list[PhoneNumber]


class PhoneNumbers:
    """The endpoints."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            Endpoint(
                family=Family.F2,
                method="GET",
                path=PATH,
                summary="List telephone numbers",
                handler=self.list,
                answers={200: NumbersAnswer},
                limit="read",
            ),
            Endpoint(
                family=Family.F2,
                method="POST",
                path=PATH,
                summary="Let an agent answer a telephone number",
                description="While no number is mapped, every number reaches the default agent; afterwards only mapped "
                "ones are answered. Numbers belong to whoever runs the server, who gives them to accounts (accountId).",
                handler=self.put,
                body=NumberRequest,
                answers={201: NumberAnswer},
                limit="write",
                errors=frozenset({403, 409}),
            ),
            Endpoint(
                family=Family.F2,
                method="DELETE",
                path=f"{PATH}/{{number}}",
                summary="Let nobody answer a telephone number",
                handler=self.remove,
                answers={200: NumberAnswer},
                limit="delete",
                errors=frozenset({409}),
            ),
        ]

    async def list(self, call: ApiCall[None]) -> ApiResult:
        """GET /api/voice-agent/numbers."""
        return ApiResult(NumbersAnswer(data=[_shown(each) for each in await self._of(call)]))

    async def put(self, call: ApiCall[NumberRequest]) -> ApiResult:
        """POST /api/voice-agent/numbers."""
        asked = call.body
        number = check_number(asked.number)
        try:
            made = await call.database.run(self._numbers.put, call.account.id, number, asked.agent_id, asked.account_id)
        except NumberNotMapped as error:
            raise _refused(error) from error
        return ApiResult(NumberAnswer(data=_shown(made)))

    async def remove(self, call: ApiCall[None]) -> ApiResult:
        """DELETE /api/voice-agent/numbers/{number}."""
        number = call.path["number"]
        if any(each.created is None and each.number == number for each in await self._of(call)):
            raise Conflict("The number is mapped in this server's settings (telephony.numbers), and there only")
        removed = await call.database.run(self._numbers.remove, call.account.id, number)
        if removed is None:
            raise NotFound("There is no such number")
        return ApiResult(NumberAnswer(data=_shown(removed)))

    async def _of(self, call: ApiCall[None]) -> Sequence[MappedNumber]:
        return await call.database.read(self._numbers.of, call.account.id)


def check_number(number: str, field: str = "number") -> str:
    """The number, if it is one. Raises `Invalid`."""
    if country_of(number) is None:
        raise Invalid(E164, field=field)
    return number


def _refused(error: NumberNotMapped) -> ApiError:
    match error.code:
        case "taken":
            return Conflict(f"number: {error}")
        case "not-yours":
            return Forbidden(f"number: {error}")
        case "no-account":
            return Invalid(str(error), field="accountId")
        case "no-agent":
            return Invalid(str(error), field="agentId")


def _shown(number: MappedNumber) -> PhoneNumber:
    return PhoneNumber(
        number=number.number,
        agent_id=number.agent_id,
        account_id=number.account_id,
        created_at=timestamp(number.created),
    )
