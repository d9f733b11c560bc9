"""The stand-in carrier, and the webhooks it calls, which tell the books as the wire does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.database import Database
from server.settings import Settings
from telephony.twilio.rest import TwilioCalls
from tests.peers.carrier import Carrier, Misbehaviour
from tests.server.calling.world import TOKEN, Calls


@dataclass
class Line:
    """Webhooks of calls. `deaf`: callbacks get lost on the way; `verbs`: what a call that is answered is told to do."""

    carrier: Carrier
    verbs: str = "<Hangup/>"
    deaf: bool = False
    answered: list[str] = field(default_factory=list)
    made: Calls | None = None

    @property
    def calls(self) -> Calls:
        assert self.made is not None
        return self.made

    async def answer(self, request: Request) -> Response:
        form = await request.form()
        order = await self.calls.books.answered(request.path_params["call_id"], str(form["CallSid"]))
        verbs = "<Hangup/>" if order is None else self.verbs
        if order is not None:
            self.answered.append(order.call_id)
        return Response(f"<Response>{verbs}</Response>", media_type="application/xml")

    async def status(self, request: Request) -> Response:
        form = await request.form()
        seconds = form.get("CallDuration")
        if not self.deaf:
            await self.calls.books.report(
                request.path_params["call_id"],
                str(form["CallStatus"]),
                sid=str(form["CallSid"]),
                seconds=int(str(seconds)) if seconds is not None else None,
            )
        return Response(status_code=204)


@asynccontextmanager
async def line(settings: Settings, database: Database, misbehaviour: Misbehaviour | None = None) -> AsyncIterator[Line]:
    """A carrier, and calls that are placed through it."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = settings.model_copy(update={"server": settings.server.model_copy(update={"public_url": url})})
    async with Carrier(TOKEN, misbehaviour=misbehaviour) as carrier:
        twilio = TwilioCalls(carrier.account, TOKEN, api=carrier.url, timeout=httpx2.Timeout(5.0))
        made = Line(carrier, made=Calls(database, settings, carrier=twilio))
        routes = [
            Route("/telephony/outbound/{call_id}", made.answer, methods=["POST"]),
            Route("/telephony/status/{call_id}", made.status, methods=["POST"]),
        ]
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off"))
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield made
        finally:
            await made.calls.dialler.close()
            await twilio.close()
            server.should_exit = True
            await task
