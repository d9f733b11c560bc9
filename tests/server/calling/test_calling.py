"""The parts put together: begun, ended, and with a carrier only where there is an account at one."""

from __future__ import annotations

import asyncio

from server.calling.calling import Calling
from server.database import Database
from server.settings import Settings
from server.settings.phone import TwilioSettings
from tests.server.calling.here import Here
from tests.server.calling.world import settings_of


def made(settings: Settings, database: Database) -> Calling:
    return Calling(settings, database, configured=lambda: ["demo"], live=Here())


async def test_it_begins_and_ends_and_leaves_nothing_behind(database: Database, settings: Settings) -> None:
    before = asyncio.all_tasks()
    for wanted in (settings_of(settings), settings):
        calling = made(wanted, database)
        calling.start()
        await asyncio.sleep(0.05)
        await calling.close()
        await calling.close()
    assert asyncio.all_tasks() == before


def test_there_is_a_carrier_where_there_is_an_account_at_one(database: Database, settings: Settings) -> None:
    assert made(settings_of(settings), database).carrier is not None
    assert made(settings_of(settings, twilio=TwilioSettings()), database).carrier is None
    assert made(settings_of(settings, carrier="telnyx"), database).carrier is None
