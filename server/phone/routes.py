"""The telephone's endpoints: the carrier's webhooks, which answer and follow calls, and the socket of their audio."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from server.bodies import read_body
from server.phone import warm
from server.phone.book import CALL_STATUS_PATH, OUTBOUND_PATH, STATUS_PATH, CallRefused
from server.phone.carriers import BadCall, CarrierRequest
from server.phone.desk import BRIEFED_PATH, BUSY, NEXT_PATH, STREAM_PATH, PhoneDesk, PhoneParts, StreamTicket
from server.phone.hold_music import hold_wav
from server.phone.options import PhoneOptions
from server.phone.streams import PhoneStreams
from server.settings import Settings
from telephony.markup import CONTENT_TYPE
from telephony.progress import CallProgress, CallState

VOICE_PATH: Final = "/telephony/voice"

MAX_FORM: Final = 64 * 1024
MAX_FIELDS: Final = 200

NO_AGENT: Final = "Sorry, the assistant you are calling is not available. Goodbye."
NO_CALL: Final = "Sorry, this call is over. Goodbye."

Answer = Callable[[Request, CarrierRequest], Awaitable[Response]]

log = structlog.get_logger(__name__)


class PhoneEndpoints:
    """All of them. Await `close` when no calls are left.

    Every webhook is checked for the carrier's signature before anything of it is looked at, and may come twice.
    """

    def __init__(self, parts: PhoneParts, options: PhoneOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk = PhoneDesk(parts, options, clock)
        self._transfers = warm.WarmTransfers(self._desk)
        self._streams = PhoneStreams(self._desk, self._transfers)

    @classmethod
    def of(cls, parts: PhoneParts, settings: Settings) -> PhoneEndpoints:
        """The endpoints as the settings say, which hold the port that is really bound."""
        return cls(parts, PhoneOptions.of(settings))

    def routes(self) -> list[BaseRoute]:
        """To be mounted at the root."""
        webhooks: dict[str, Answer] = {
            VOICE_PATH: self._voice,
            OUTBOUND_PATH: self._outbound,
            STATUS_PATH: self._status,
            CALL_STATUS_PATH: self._status,
            NEXT_PATH: self._next,
            warm.HOLD_PATH: self._hold,
            warm.TRANSFERRED_PATH: self._transferred,
            warm.BRIEFING_PATH: self._briefing,
            warm.BRIEFING_STATUS_PATH: self._briefing_status,
            BRIEFED_PATH: self._briefed,
        }
        return [
            *(Route(path, self._webhook(answer), methods=["POST"]) for path, answer in webhooks.items()),
            Route(warm.MUSIC_PATH, _music),
            WebSocketRoute(STREAM_PATH, self._streams.stream, name="telephony-stream"),
        ]

    async def close(self) -> None:
        """End what is being done besides calls."""
        await self._desk.close()

    # Webhooks

    async def _voice(self, request: Request, asked: CarrierRequest) -> Response:
        """Somebody calls: connect them to an agent, or say why not and hang up."""
        desk = self._desk
        if desk.full(asked.sid):
            log.warning("call refused: all sessions are taken", sid=asked.sid)
            return self._says(BUSY)
        order = await desk.parts.book.incoming(
            asked.sid,
            carrier=desk.carrier.name,
            caller=asked.caller,
            called=asked.called,
            agent_id=request.query_params.get("agent"),
        )
        if isinstance(order, CallRefused):
            return self._says(order.say)
        return await self._connected(StreamTicket(order), asked.sid)

    async def _outbound(self, request: Request, asked: CarrierRequest) -> Response:
        """A call of ours was answered."""
        desk, call_id = self._desk, request.path_params["call_id"]
        order = await desk.parts.book.answered(call_id, asked.sid)
        if order is None:
            log.warning("a call was answered that is not ours, or over", call=call_id, sid=asked.sid)
            return self._says(NO_CALL)
        if desk.full(asked.sid):
            log.warning("an answered call is given up: all sessions are taken", call=call_id)
            await desk.parts.book.line_closed(call_id, "all sessions are taken")
            return self._says(BUSY)
        return await self._connected(StreamTicket(order), asked.sid)

    async def _status(self, request: Request, asked: CarrierRequest) -> Response:
        """How a call stands."""
        desk, call_id = self._desk, request.path_params.get("call_id", "")
        await desk.parts.book.report(call_id, asked.status, sid=asked.sid, seconds=asked.seconds)
        state = CallProgress().report(asked.status).state
        if state.ended:
            self._transfers.over(call_id or desk.transfers.call_of(asked.sid))
        elif call_id and state in (CallState.QUEUED, CallState.RINGING):
            order = await desk.parts.book.expected(call_id)
            if order is not None:
                desk.prepare(order)
        return Response(status_code=204)

    async def _next(self, request: Request, asked: CarrierRequest) -> Response:
        return _document(self._transfers.next(request.path_params["call_id"], asked.sid))

    async def _hold(self, request: Request, asked: CarrierRequest) -> Response:
        return _document(self._transfers.hold(request.path_params["call_id"], asked.sid))

    async def _transferred(self, request: Request, asked: CarrierRequest) -> Response:
        return _document(await self._transfers.transferred(request.path_params["call_id"], asked))

    async def _briefing(self, request: Request, asked: CarrierRequest) -> Response:
        return _document(self._transfers.answered(request.path_params["call_id"], asked.sid))

    async def _briefed(self, request: Request, asked: CarrierRequest) -> Response:
        return _document(self._transfers.briefed(request.path_params["call_id"], asked.sid))

    async def _briefing_status(self, request: Request, asked: CarrierRequest) -> Response:
        await self._transfers.briefing_status(request.path_params["call_id"], asked)
        return Response(status_code=204)

    # Inside

    async def _connected(self, ticket: StreamTicket, sid: str) -> Response:
        """Connect the caller to the call's agent; one that went back to it goes there again."""
        desk, order = self._desk, ticket.order
        if not await desk.at_hand(order.agent_id):
            log.warning("call for an unknown agent", sid=sid, agent=order.agent_id)
            await desk.parts.book.line_closed(order.call_id, "the agent is not there")
            return self._says(NO_AGENT)
        desk.prepare(order)
        returned = desk.transfers.returned(order.call_id, sid)
        if returned is not None:
            ticket = StreamTicket(returned.order, returned.resumption)
        return _document(desk.connect(sid, ticket))

    def _says(self, text: str) -> Response:
        return _document(self._desk.carrier.say_and_hang_up(text))

    def _webhook(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def webhook(request: Request) -> Response:
            try:
                form, body = await _form(request)
            except _BadForm as error:
                return PlainTextResponse(str(error), error.status)
            if not self._desk.gate.admits(request, form, body):
                log.warning("webhook refused", path=request.url.path, peer=request.client and request.client.host)
                return PlainTextResponse("Forbidden", 403)
            try:
                asked = self._desk.carrier.read(dict(form))
            except BadCall as error:
                return PlainTextResponse(str(error), 400)
            return await answer(request, asked)

        return webhook


class _BadForm(Exception):
    """The request's body is no form of a telephone call."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _document(text: str) -> Response:
    return Response(text, media_type=CONTENT_TYPE)


async def _music(request: Request) -> Response:
    """What somebody hears who is on hold."""
    return Response(hold_wav(), media_type="audio/wav", headers={"cache-control": "public, max-age=86400"})


async def _form(request: Request) -> tuple[list[tuple[str, str]], bytes]:
    """The request's form fields, in order, and its body. Raises `_BadForm`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise _BadForm(415, "expected application/x-www-form-urlencoded")
    body = await read_body(request, MAX_FORM)
    if body is None:
        raise _BadForm(413, f"a form has at most {MAX_FORM} bytes")
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise _BadForm(400, "the form is malformed") from None
    return fields, body
