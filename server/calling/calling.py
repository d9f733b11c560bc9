"""Telephone calls as a business, put together: books, guard rails, the carrier, and who keeps all of it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from server.calling.books import Books
from server.calling.dialler import Dialler
from server.calling.guard import Guard
from server.calling.keeper import Files, Keeper, Live
from server.calling.numbers import Numbers
from server.calling.owners import AgentOwners
from server.database import Database
from server.settings import Settings
from telephony.twilio.rest import TwilioCalls


class Calling:
    """The parts. `start` once, `close` once, both on the event loop.

    `configured`: ids of the agents of the settings' folder. `live`: the calls whose streams are in this process.
    `carrier`: None without an account at one.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        configured: Callable[[], Collection[str]],
        live: Live,
        files: Files | None = None,
    ) -> None:
        telephony = settings.telephony
        self.configured = configured
        self.live = live
        self.carrier = _carrier(settings)
        self.owners = AgentOwners(configured)
        self.numbers = Numbers(telephony, self.owners)
        self.books = Books(database, self.numbers, price=settings.prices.inbound_minute)
        self.dialler = Dialler(
            settings,
            database,
            self.books,
            guard=Guard(telephony, settings.prices.call_minute),
            owners=self.owners,
            carrier=self.carrier,
        )
        self.keeper = Keeper(telephony, database, self.books, self.dialler, live, files=files)

    def start(self) -> None:
        """Begin to keep the calls, first those that an earlier process has left behind."""
        self.keeper.start()

    async def close(self) -> None:
        """Ask the carrier nothing more. The calls' own ends are told by their callbacks, to whoever serves then."""
        await self.keeper.close()
        await self.dialler.close()
        if self.carrier is not None:
            await self.carrier.close()


def _carrier(settings: Settings) -> TwilioCalls | None:
    twilio = settings.telephony.twilio
    if settings.telephony.carrier != "twilio" or not twilio.account_sid:
        return None
    return TwilioCalls(twilio.account_sid, twilio.auth_token.get_secret_value(), api=twilio.api)
