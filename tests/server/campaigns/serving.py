"""A server process that only makes campaigns' calls, and dies where it is told. Run by `test_kill`.

Everything that takes its time is made fast, so that what a crash leaves behind is found within seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import time, timedelta
from typing import Any

import httpx2
import uvicorn
from pydantic import SecretStr
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.calling import billing, keeper
from server.calling.books import Books
from server.calling.dialler import Dialler
from server.calling.guard import Guard
from server.calling.keeper import Keeper
from server.calling.numbers import Numbers
from server.calling.owners import AgentOwners
from server.campaigns import outcomes
from server.campaigns.outcomes import call_ended
from server.campaigns.runner import CampaignRunner
from server.database import Database
from server.database.tables import PhoneCall
from server.settings import Settings
from server.settings.phone import TelephonySettings, TwilioSettings
from telephony.quiet_hours import QuietHours
from telephony.twilio.rest import CarrierCall, TwilioCalls
from tests.peers.carrier.service import ACCOUNT

OWN = "+14155550100"
TOKEN = "c" * 32
ALWAYS = QuietHours(time(0), time(0))


class Death:
    """Kills this process the `after`-th time that it comes by. 0: never."""

    def __init__(self, after: int) -> None:
        self._left = after

    def comes_by(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalCarrier(TwilioCalls):
    """Dies before the carrier is asked, or after it has taken the call and before anybody knows."""

    death: Death

    async def place(self, **asked: Any) -> CarrierCall:
        self.death.comes_by()
        placed = await super().place(**asked)
        self.death.comes_by()
        return placed


class MortalDialler(Dialler):
    """Dies between the order of a call and its start."""

    death: Death

    async def start(self, call_id: str) -> None:
        self.death.comes_by()
        await super().start(call_id)


class NoLines:
    """No call has a stream here."""

    def ids(self) -> set[str]:
        return set()

    def finish(self, call_id: str, text: str, reason: str) -> bool:
        return False


def settings_of(public_url: str, carrier_url: str) -> Settings:
    """Twenty calls at once, at any hour."""
    telephony = TelephonySettings(
        number=OWN,
        countries=("US",),
        quiet_from=time(0),
        quiet_until=time(0),
        per_account=20,
        ring_s=5,
        twilio=TwilioSettings(account_sid=ACCOUNT, auth_token=SecretStr(TOKEN), api=carrier_url),
    )
    settings = Settings()
    server = settings.server.model_copy(update={"public_url": public_url})
    return settings.model_copy(update={"telephony": telephony, "server": server})


def _hurry() -> None:
    billing.MINUTE = timedelta(seconds=2)  # type: ignore[misc]
    keeper.TICK_S = 0.1  # type: ignore[misc]
    keeper.BACKOFF_S = (0.5,)  # type: ignore[misc,assignment]
    keeper.ELSEWHERE = timedelta(seconds=0.5)  # type: ignore[misc]
    keeper.UNSTARTED = timedelta(seconds=1.5)  # type: ignore[misc]
    keeper.UNHEARD = timedelta(seconds=3)  # type: ignore[misc]
    keeper.RINGS_ON = timedelta(seconds=-3)  # type: ignore[misc]
    outcomes.MOST_NOT_PLACED = 50  # type: ignore[misc]  # nobody is killed as often in a day
    outcomes.NOT_PLACED_PAUSE = timedelta(seconds=0.5)  # type: ignore[misc]


class Webhooks:
    """What the carrier calls: the callee is thanked and the call ends."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def answer(self, request: Request) -> Response:
        form = await request.form()
        await self._books.answered(request.path_params["call_id"], str(form["CallSid"]))
        return Response('<Response><Pause length="20"/><Hangup/></Response>', media_type="application/xml")

    async def status(self, request: Request) -> Response:
        form = await request.form()
        seconds = form.get("CallDuration")
        await self._books.report(
            request.path_params["call_id"],
            str(form["CallStatus"]),
            sid=str(form["CallSid"]),
            seconds=int(str(seconds)) if seconds is not None else None,
        )
        return Response(status_code=204)


async def serve(database_url: str, port: int, carrier_url: str, die_after: int) -> None:
    """Until it dies."""
    _hurry()
    death = Death(die_after)
    settings = settings_of(f"http://127.0.0.1:{port}", carrier_url)
    database = Database(database_url, threads=4)
    carrier = MortalCarrier(ACCOUNT, TOKEN, api=carrier_url, timeout=httpx2.Timeout(5.0))
    owners = AgentOwners(lambda: ["demo"])
    books = Books(database, Numbers(settings.telephony, owners), price=0)
    guard = Guard(settings.telephony, settings.prices.call_minute)
    dialler = MortalDialler(settings, database, books, guard=guard, owners=owners, carrier=carrier)
    dialler.death = carrier.death = death

    def die_in_the_transaction(_session: Session, _call: PhoneCall) -> None:
        death.comes_by()

    books.on_ended += [call_ended, die_in_the_transaction]
    runner = CampaignRunner(database, dialler, quiet=ALWAYS, every_s=0.05)
    keeping = Keeper(settings.telephony, database, books, dialler, NoLines())
    keeping.start()
    runner.start()
    hooks = Webhooks(books)
    routes = [
        Route("/telephony/outbound/{call_id}", hooks.answer, methods=["POST"]),
        Route("/telephony/status/{call_id}", hooks.status, methods=["POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), port=port, log_level="critical", lifespan="off")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    url, own_port, api, after = sys.argv[1:]
    asyncio.run(serve(url, int(own_port), api, int(after)))
