"""The carrier's REST API on a loopback port, and its side of webhooks."""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Final, Self

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from twilio.request_validator import RequestValidator

from tests.peers.carrier.calls import ENDED, Call, Person, Room
from tests.peers.carrier.misbehaviour import Misbehaviour
from tests.peers.carrier.twiml import NotTwiml

ACCOUNT: Final = "AC" + "5" * 32
CALLBACK_TRIES: Final = 3
_PATH: Final = "/2010-04-01/Accounts/{account}/Calls"


class Carrier:
    """Use as an asynchronous context manager. `people`: who answers which number; all others do not exist.

    `pace`: how long a spoken second of `<Say>` and `<Pause>` takes.
    """

    def __init__(
        self,
        token: str = "c" * 32,
        *,
        misbehaviour: Misbehaviour | None = None,
        pace: float = 0.01,
        account: str = ACCOUNT,
    ) -> None:
        self.token = token
        self.account = account
        self.pace = pace
        self.misbehaviour = misbehaviour or Misbehaviour()
        self.people: dict[str, Person] = {}
        self.calls: dict[str, Call] = {}
        self.rooms: dict[str, Room] = {}
        self.callback_answers: list[int] = []
        self.url = ""
        self._validator = RequestValidator(token)
        self._http = httpx.AsyncClient(timeout=15.0, trust_env=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        routes = [
            Route(_PATH + ".json", self._create, methods=["POST"]),
            Route(_PATH + ".json", self._list, methods=["GET"]),
            Route(_PATH + "/{sid}.json", self._update, methods=["POST"]),
            Route(_PATH + "/{sid}.json", self._fetch, methods=["GET"]),
        ]
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._serving = asyncio.create_task(self._server.serve([listener]))
        while not self._server.started:
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self._server is not None
        assert self._serving is not None
        self._server.should_exit = True
        await self._serving
        await self._http.aclose()

    def dial(self, url: str, person: Person, *, caller: str = "+15005550006", called: str = "+15005550001") -> Call:
        """Somebody calls a number whose voice webhook is `url`."""
        call = Call(self, "CA" + secrets.token_hex(16), caller, called, "inbound", person, answer_url=url)
        return self._carry(call)

    async def quiet(self) -> None:
        """Wait until all calls have ended and all callbacks were delivered."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    # Webhooks

    def signature(self, url: str, fields: Mapping[str, str]) -> str:
        """Twilio's signature, by Twilio's library."""
        return str(self._validator.compute_signature(url, dict(fields)))

    async def ask(self, url: str, fields: Mapping[str, str]) -> str:
        """The TwiML that `url` answers. Raises `NotTwiml`."""
        try:
            answer = await self._http.post(url, data=dict(fields), headers=self._signed(url, fields))
        except httpx.TransportError as error:
            raise NotTwiml(f"11200 HTTP retrieval failure: {error}") from None
        if answer.status_code != 200:
            raise NotTwiml(f"11200 HTTP retrieval failure: {answer.status_code} {answer.text[:100]}")
        return answer.text

    async def fetch(self, url: str) -> bytes:
        """What a `<Play>` names."""
        return (await self._http.get(url)).content

    def notify(self, url: str, fields: Mapping[str, str]) -> None:
        """Send a status callback, on a bad day late or twice."""
        bad = self.misbehaviour
        for _ in range(2 if bad.happens(bad.twice) else 1):
            self._keep(self._callback(url, dict(fields), bad.delay()))

    async def _callback(self, url: str, fields: dict[str, str], delay: float) -> None:
        await asyncio.sleep(delay)
        for _ in range(CALLBACK_TRIES):
            try:
                answer = await self._http.post(url, data=fields, headers=self._signed(url, fields))
            except httpx.TransportError:
                continue
            self.callback_answers.append(answer.status_code)
            if answer.status_code < 500:
                return

    def _signed(self, url: str, fields: Mapping[str, str]) -> dict[str, str]:
        return {"X-Twilio-Signature": self.signature(url, fields)}

    # The REST API

    async def _create(self, request: Request) -> JSONResponse:
        async def create() -> JSONResponse:
            sent = await request.form()
            form = {name: sent.getlist(name) for name in sent}
            for name in ("To", "From", "Url"):
                if name not in form:
                    return _error(400, 21201, f"No '{name}' number is specified")
            to = str(form["To"][0])
            call = Call(
                self,
                "CA" + secrets.token_hex(16),
                str(form["From"][0]),
                to,
                "outbound",
                self.people.get(to, Person(outcome="failed")),
                answer_url=str(form["Url"][0]),
                status_url=str(form.get("StatusCallback", [""])[0]),
                events=frozenset(str(event) for event in form.get("StatusCallbackEvent", ["completed"])),
                limit=float(str(form.get("TimeLimit", ["14400"])[0])),
            )
            self._carry(call)
            return JSONResponse(_shown(call), 201)

        return await self._answered(request, create)

    async def _update(self, request: Request) -> JSONResponse:
        async def update() -> JSONResponse:
            call = self.calls.get(request.path_params["sid"])
            if call is None:
                return _missing()
            form = await request.form()
            if call.status in ENDED:
                return _error(400, 21220, "Unable to update record. The call is not in-progress")
            if status := form.get("Status"):
                call.hang_up(str(status))
            if twiml := form.get("Twiml"):
                call.instruct(str(twiml))
            return JSONResponse(_shown(call))

        return await self._answered(request, update)

    async def _fetch(self, request: Request) -> JSONResponse:
        async def fetch() -> JSONResponse:
            call = self.calls.get(request.path_params["sid"])
            return _missing() if call is None else JSONResponse(_shown(call))

        return await self._answered(request, fetch)

    async def _list(self, request: Request) -> JSONResponse:
        async def listing() -> JSONResponse:
            asked = request.query_params
            found = [
                _shown(call)
                for call in reversed(self.calls.values())
                if asked.get("To", call.called) == call.called and asked.get("From", call.caller) == call.caller
            ]
            size = int(asked.get("PageSize", "50"))
            return JSONResponse({"calls": found[:size], "page": 0, "page_size": size, "next_page_uri": None})

        return await self._answered(request, listing)

    async def _answered(self, request: Request, act: Callable[[], Awaitable[JSONResponse]]) -> JSONResponse:
        """Check the credentials and go wrong as told."""
        bad = self.misbehaviour
        if not self._knows(request):
            return _error(401, 20003, "Authenticate")
        if bad.happens(bad.refused):
            return _error(429, 20429, "Too many requests")
        if not bad.happens(bad.failed):
            return await act()
        if bad.happens(0.5):
            await act()
        return _error(503, 20503, "Service unavailable")

    def _knows(self, request: Request) -> bool:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return (
            kind == "Basic"
            and given == f"{self.account}:{self.token}" == f"{request.path_params['account']}:{self.token}"
        )

    def _carry(self, call: Call) -> Call:
        self.calls[call.sid] = call
        self._keep(call.run())
        return call

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _shown(call: Call) -> dict[str, object]:
    ended = call.status in ENDED
    return {
        "sid": call.sid,
        "account_sid": call.carrier.account,
        "from": call.caller,
        "to": call.called,
        "direction": "inbound" if call.direction == "inbound" else "outbound-api",
        "status": "queued" if call.status == "initiated" else call.status,
        "date_created": format_datetime(call.created, usegmt=True),
        "duration": str(call.seconds) if ended else None,
    }


def _missing() -> JSONResponse:
    return _error(404, 20404, "The requested resource was not found")


def _error(status: int, code: int, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message, "status": status}, status)
