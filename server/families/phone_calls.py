"""F2: calls placed, listed, read and hung up."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import structlog
from sqlalchemy.orm import Session

from server.calling.dialler import Dialler
from server.calling.guard import CallNotAllowed
from server.calling.keeper import Live
from server.families.call_shapes import (
    CallsAnswer,
    CallsQuery,
    CallStatus,
    HungUpAnswer,
    OutboundRequest,
    StartedAnswer,
    StartedCall,
    VoiceCallAnswer,
    VoiceCalls,
    shown,
    shown_in_full,
)
from server.families.calls import CallFilter, CallRecord, call_in_full, calls_page
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import ApiError, Conflict, Invalid, NotFound, Unavailable
from server.gate.families import Family
from server.gate.registry import Endpoint
from server.jobs.shapes import Sign
from telephony.errors import TelephonyError

PATH: Final = "/api/voice-agent/calls"
RETRY_AFTER_S: Final = 10
"""Seconds after which an account with too many calls under way may try again."""
_STATUSES: Final = {
    "NOT_E164": 400,
    "NO_SUCH_NUMBER": 400,
    "NO_SUCH_AGENT": 400,
    "BEING_CALLED": 409,
    "CONCURRENCY": 429,
}
"""Of refusals by their code; of all others 403."""

log = structlog.get_logger(__name__)


class PhoneCalls:
    """The endpoints. `sign`: the URL of a recording. `configured`: ids of the agents of the settings' folder."""

    def __init__(self, dialler: Dialler, live: Live, *, sign: Sign, configured: Callable[[], Collection[str]]) -> None:
        self._dialler = dialler
        self._live = live
        self._sign = sign
        self._configured = configured

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            Endpoint(
                family=Family.F2,
                method="POST",
                path=f"{PATH}/outbound",
                summary="Have an agent call somebody",
                description="Answers when the call is ordered, not when it is answered; GET /api/voice-agent/calls?id= "
                "tells how it stands. A refusal's `reason` is for programs: QUIET_HOURS, DO_NOT_CALL, COUNTRY, …",
                handler=self.call,
                body=OutboundRequest,
                answers={200: StartedAnswer},
                limit="call",
                live=True,
                paid=True,
                price="each minute that has begun (prices.call_minute)",
            ),
            Endpoint(
                family=Family.F2,
                method="GET",
                path=PATH,
                summary="List calls, or read one",
                handler=self.list,
                query=CallsQuery,
                answers={200: CallsAnswer},
                limit="read",
                errors=frozenset({404}),
            ),
            Endpoint(
                family=Family.F2,
                method="DELETE",
                path=f"{PATH}/{{id}}",
                summary="Hang up",
                description="A call that rings is cancelled. A call that has ended is let be.",
                handler=self.hang_up,
                answers={200: HungUpAnswer},
                limit="delete",
                errors=frozenset({409}),
                live=True,
            ),
        ]

    async def call(self, call: ApiCall[OutboundRequest]) -> ApiResult:
        """POST /api/voice-agent/calls/outbound."""
        if self._dialler.busy:
            raise Unavailable("Too many calls are being placed at the moment: try again soon")
        request = call.body
        ordered: list[str] = []

        def order(session: Session) -> ApiResult:
            ordered[:] = [
                self._dialler.order(
                    session,
                    account_id=call.account.id,
                    agent_id=request.agent_id,
                    number=request.phone_number,
                    variables=request.variables,
                )
            ]
            return ApiResult(StartedAnswer(data=StartedCall(call_id=ordered[0], status="active")))

        try:
            answer = await call.transact(order)
        except CallNotAllowed as error:
            raise refused(error) from error
        for call_id in ordered:  # none, where the request was answered before
            self._dialler.begin(call_id)
        return answer

    async def list(self, call: ApiCall[None]) -> ApiResult:
        """GET /api/voice-agent/calls."""
        query: CallsQuery = call.query
        configured = tuple(self._configured())
        if query.id is not None:
            found = await call.database.read(call_in_full, call.account.id, query.id, configured=configured)
            if found is None:
                raise NotFound("There is no such call")
            return ApiResult(VoiceCallAnswer(data=shown_in_full(*found, self._sign)))
        try:
            calls, more = await call.database.read(
                calls_page,
                call.account.id,
                configured=configured,
                limit=query.limit,
                after=query.starting_after,
                only=CallFilter(query.agent_id, query.status, query.direction),
            )
        except LookupError:
            raise Invalid("there is no such call", field="startingAfter") from None
        return ApiResult(VoiceCalls(data=[shown(each, self._sign) for each in calls], has_more=more))

    async def hang_up(self, call: ApiCall[None]) -> ApiResult:
        """DELETE /api/voice-agent/calls/{id}."""
        call_id = call.path["id"]
        phone = (await self._find(call, call_id)).phone
        if phone is None:
            raise Conflict("Only telephone calls can be hung up here; this one is in a browser")
        try:
            await self._dialler.hang_up(call_id)
        except TelephonyError as error:
            if not self._live.finish(call_id, "", "hung up over the API"):
                log.warning("a call could not be hung up", call=call_id, reason=str(error))
                raise Unavailable("The carrier cannot be told at the moment: try again soon") from error
        now = (await self._find(call, call_id)).phone
        state = phone.state if now is None else now.state
        return ApiResult(HungUpAnswer(data=CallStatus.model_validate({"callId": call_id, "status": state})))

    async def _find(self, call: ApiCall[None], call_id: str) -> CallRecord:
        found = await call.database.read(call_in_full, call.account.id, call_id, configured=tuple(self._configured()))
        if found is None:
            raise NotFound("There is no such call")
        return found[0]


def refused(error: CallNotAllowed) -> ApiError:
    """The answer to a call that is not placed."""
    status = _STATUSES.get(error.code, 403)
    headers = {"retry-after": str(RETRY_AFTER_S)} if status == 429 else {}
    return ApiError(error.message, status=status, reason=error.code, headers=headers)
