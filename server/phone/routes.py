"""The telephone's endpoints: the webhook that answers a call and the socket that carries it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from server.bodies import read_body
from server.phone.call import INTERNAL_ERROR, POLICY, TRY_LATER, CallerGone, PhoneCall
from server.phone.gate import Gate
from server.phone.options import PhoneOptions, Sessions
from server.settings import Settings
from telephony.errors import ProtocolError, TokenRefused, TokensFull
from telephony.media_stream import Start
from telephony.tokens import StreamTokens
from telephony.twilio import twiml
from telephony.twilio.messages import TwilioStream

VOICE_PATH: Final = "/telephony/voice"
STREAM_PATH: Final = "/telephony/stream"

MAX_FORM: Final = 64 * 1024
MAX_FIELDS: Final = 200

NO_AGENT: Final = "Sorry, the assistant you are calling is not available. Goodbye."
BUSY: Final = "All our lines are busy right now. Please call again in a few minutes. Goodbye."

_CALL_SID = re.compile(r"[A-Za-z0-9]{2,64}")

log = structlog.get_logger(__name__)


def routes(factory: Sessions, settings: Settings) -> list[BaseRoute]:
    """The telephone's routes. Sessions come from `factory`; `settings` hold the port that is really bound."""
    return phone_routes(factory, PhoneOptions.of(settings))


def phone_routes(
    factory: Sessions, options: PhoneOptions, clock: Callable[[], float] = time.monotonic
) -> list[BaseRoute]:
    """The telephone's routes, every option given; `clock` is what tokens expire by."""
    phone = _Phone(factory, options, clock)
    return [
        Route(VOICE_PATH, phone.voice, methods=["POST"], name="telephony-voice"),
        WebSocketRoute(STREAM_PATH, phone.stream, name="telephony-stream"),
    ]


class _BadForm(Exception):
    """The request's body is no form of a telephone call."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Phone:
    def __init__(self, factory: Sessions, options: PhoneOptions, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._factory = factory
        self._options = options
        self._gate = Gate(options)
        self._tokens = StreamTokens()

    async def voice(self, request: Request) -> Response:
        """Answer a call: connect it to a media stream, or say why not and hang up."""
        try:
            form = await _form(request)
        except _BadForm as error:
            return PlainTextResponse(str(error), error.status)
        if not self._gate.admits(request, form):
            log.warning("webhook refused", peer=request.client and request.client.host)
            return PlainTextResponse("Forbidden", 403)
        fields = dict(form)
        call_sid = fields.get("CallSid", "")
        if not _CALL_SID.fullmatch(call_sid):
            return PlainTextResponse("CallSid is missing or malformed", 400)
        agent_id = request.query_params.get("agent") or self._options.default_agent
        return Response(self._answer(call_sid, agent_id, fields.get("From", "")), media_type=twiml.CONTENT_TYPE)

    def _answer(self, call_sid: str, agent_id: str, peer: str) -> str:
        now = self._clock()
        if not self._factory.has_agent(agent_id):
            log.warning("call for an unknown agent", call=call_sid, agent=agent_id)
            return twiml.say_and_hang_up(NO_AGENT)
        expected = self._factory.active_sessions + self._tokens.waiting(now)
        if expected >= self._options.max_sessions and not self._tokens.holds(now, call_sid, agent_id):
            log.warning("call refused: all sessions are taken", call=call_sid, sessions=expected)
            return twiml.say_and_hang_up(BUSY)
        try:
            token = self._tokens.issue(now, call_sid, agent_id, peer=peer)
        except TokensFull as error:
            log.warning("call refused", call=call_sid, reason=str(error))
            return twiml.say_and_hang_up(BUSY)
        return twiml.connect_stream(self._gate.url(STREAM_PATH, websocket=True), {"token": token})

    async def stream(self, websocket: WebSocket) -> None:
        """Carry a call's audio to a session and back until either side ends it."""
        if not self._gate.admits(websocket):
            log.warning("media stream refused", peer=websocket.client and websocket.client.host)
            await websocket.close()  # before it was accepted: HTTP 403
            return
        await websocket.accept()
        call = PhoneCall(websocket, TwilioStream(), self._options)
        try:
            start = await call.started()
            await self._hold(call, start)
        except CallerGone:
            log.info("caller gone before the stream began")
        except ProtocolError as error:
            log.warning("media stream refused", code=error.code, reason=error.reason)
            await call.close(error.code, error.reason)
        except TokenRefused as error:
            log.warning("media stream refused", reason=str(error))
            await call.close(POLICY, str(error))
        except Exception:  # a fault of ours: the caller's line is closed, the traceback is logged
            log.exception("call failed")
            await call.close(INTERNAL_ERROR, "internal error")
        else:
            await call.close()

    async def _hold(self, call: PhoneCall, start: Start) -> None:
        """Let the call in and hold it; its token is worth nothing before, during or after."""
        token = start.parameters.get("token", "")
        grant = self._tokens.redeem(self._clock(), start.call_id, token)
        try:
            if self._factory.active_sessions >= self._options.max_sessions:
                raise ProtocolError(TRY_LATER, "all sessions are taken")
            link = call.next_link()
            session = self._factory.open_session(
                grant.agent_id, link, call_id=start.call_id, peer=grant.peer, channel=link.kind
            )
            with structlog.contextvars.bound_contextvars(session=session.id, call=start.call_id):
                await call.converse(session)
        finally:
            self._tokens.release(self._clock(), start.call_id, token)


async def _form(request: Request) -> list[tuple[str, str]]:
    """The request's form fields, in order. Raises `_BadForm`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise _BadForm(415, "expected application/x-www-form-urlencoded")
    body = await read_body(request, MAX_FORM)
    if body is None:
        raise _BadForm(413, f"a form has at most {MAX_FORM} bytes")
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise _BadForm(400, "the form is malformed") from None
