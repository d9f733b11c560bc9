"""Campaigns call the right people, as often and when they may, and nobody twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from server.calling import steps
from server.calling.guard import CallNotAllowed
from server.campaigns import store
from server.campaigns.contacts import Contact
from server.campaigns.outcomes import call_ended
from server.campaigns.rules import Retried, Retry, Rules, Window
from server.campaigns.runner import STARTS, CampaignRunner
from server.credits import ledger
from server.database import Database, create_account
from server.database.tables import CampaignContact, PhoneCall
from server.settings import Settings
from telephony.quiet_hours import QuietHours
from tests.server.campaigns.world import CREDITS, NOON, PRICE, CampaignWorld, FakeDialler, contacts, number


@pytest.fixture
def world(database: Database) -> CampaignWorld:
    """On SQLite."""
    return CampaignWorld(database)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_world(request: pytest.FixtureRequest) -> CampaignWorld:
    """On both kinds of databases."""
    if request.param == "sqlite":
        return CampaignWorld(request.getfixturevalue("database"))
    database = Database(request.getfixturevalue("postgres_url"), threads=6)
    database.migrate()
    request.addfinalizer(database.close)
    return CampaignWorld(database)


async def test_everybody_is_called_once_in_their_order_as_many_at_once_as_the_campaign_says(
    any_world: CampaignWorld,
) -> None:
    world = any_world
    campaign = world.campaign(5)
    called: list[str] = []
    while world.view(campaign).status == "running":
        calls = await world.look()
        assert len(calls) <= 2
        called += calls
        for call in calls:
            world.end(call)
    assert world.numbers(called) == [number(index) for index in range(5)]
    view = world.view(campaign)
    assert (view.status, view.finished, view.outcomes) == ("completed", NOON, {"answered": 5})
    assert view.contacts == {"pending": 0, "calling": 0, "done": 5, "skipped": 0}
    assert (world.balance(), world.audit()) == (CREDITS - 5 * PRICE, [])


async def test_calls_under_way_count_against_the_concurrency(world: CampaignWorld) -> None:
    campaign = world.campaign(5)
    first = await world.look()
    assert len(first) == 2
    assert await world.look() == []
    world.end(first[0])
    assert len(await world.look()) == 1
    assert world.view(campaign).contacts == {"pending": 2, "calling": 2, "done": 1, "skipped": 0}


async def test_outcomes_with_a_rule_are_tried_again_after_its_time_and_no_more_often(any_world: CampaignWorld) -> None:
    world = any_world
    retries: dict[Retried, Retry] = {"busy": Retry(2, 10), "machine": Retry(1, 30)}
    campaign = world.campaign(1, Rules(retries=retries))
    (call,) = await world.look()
    world.end(call, "busy")
    assert world.contact(0, campaign).outcome == "busy"
    assert await world.look(minutes=9) == []
    (call,) = await world.look(minutes=1)
    world.end(call, answered_by="machine", status="completed")
    assert world.contact(0, campaign).status == "done"  # two calls were made, and machines are called again once
    await world.look()
    view = world.view(campaign)
    assert (view.status, view.outcomes, world.contact(0, campaign).attempts) == ("completed", {"machine": 1}, 2)


@pytest.mark.parametrize(
    ("learnt", "again"), [("message left", False), ("not in service", False), ("opted out", False), ("busy", True)]
)
async def test_what_was_learnt_in_a_call_is_its_outcome(world: CampaignWorld, learnt: str, again: bool) -> None:
    campaign = world.campaign(1, Rules(retries={"busy": Retry(2, 10), "machine": Retry(2, 10)}))
    (call,) = await world.look()
    world.end(call, answered_by="machine", outcome=learnt)
    contact = world.contact(0, campaign)
    assert (contact.outcome, contact.status) == (learnt, "pending" if again else "done")


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
async def test_outcomes_without_a_rule_are_final(world: CampaignWorld, status: str) -> None:
    campaign = world.campaign(1)
    (call,) = await world.look()
    world.end(call, status)
    await world.look()
    view = world.view(campaign)
    assert (view.status, view.outcomes) == ("completed", {status: 1})
    assert (world.balance(), world.audit()) == (CREDITS, [])


async def test_what_a_carrier_corrects_is_corrected_and_not_tried_again(world: CampaignWorld) -> None:
    campaign = world.campaign(1, Rules(retries={"noAnswer": Retry(3, 10)}))
    (call,) = await world.look()
    world.end(call, "no-answer")
    world.end(call, "completed")
    assert world.contact(0, campaign).status == "done"
    assert await world.look(minutes=60) == []
    assert world.view(campaign).outcomes == {"answered": 1}


async def test_a_call_that_was_never_made_is_made_again_and_costs_no_try(world: CampaignWorld) -> None:
    campaign = world.campaign(1)
    (call,) = await world.look()
    world.give_up(call)
    assert world.contact(0, campaign).attempts == 0
    world.database.run_here(lambda session: call_ended(session, session.get_one(PhoneCall, call)))  # told again
    assert world.contact(0, campaign).due == world.now + timedelta(minutes=1)
    assert await world.look() == []
    (again,) = await world.look(minutes=1)
    world.end(again)
    assert world.contact(0, campaign).outcome == "answered"
    assert (world.balance(), world.audit()) == (CREDITS - PRICE, [])


async def test_a_call_that_can_never_be_made_is_given_up(world: CampaignWorld) -> None:
    campaign = world.campaign(1)
    for _ in range(4):
        (call,) = await world.look(minutes=1)
        world.give_up(call)
    await world.look(minutes=1)
    view = world.view(campaign)
    assert (view.status, view.outcomes) == ("completed", {"failed": 1})


async def test_a_carrier_that_makes_no_calls_does_not_use_up_the_list(any_world: CampaignWorld) -> None:
    world = any_world
    campaign = world.campaign(30, Rules(concurrency=5))
    calls = 0
    while world.view(campaign).status == "running":
        for call in await world.look():
            world.give_up(call)
            calls += 1
    view = world.view(campaign)
    assert (view.reason, calls) == ("Calls are not placed: Twilio could not be reached", 10)
    assert view.contacts["pending"] == 30
    world.database.run_here(store.resume, world.account, campaign, world.now + timedelta(minutes=2))
    (*_, call) = await world.look(minutes=3)
    world.give_up(call)
    assert world.view(campaign).status == "running"


async def test_nobody_is_called_outside_the_window_where_they_are(world: CampaignWorld) -> None:
    pacific, eastern = number(0), "+12125550123"
    world.now = datetime(2026, 5, 4, 10, tzinfo=ZoneInfo("America/New_York"))
    campaign = world.campaign([Contact(pacific), Contact(eastern)], Rules(Window(time(9), time(18)), concurrency=5))
    assert world.numbers(await world.look()) == [eastern]
    assert await world.look(minutes=119) == []
    assert world.numbers(await world.look(minutes=1)) == [pacific]
    assert world.view(campaign).contacts["calling"] == 2


async def test_a_whole_list_waits_for_the_window_without_holding_up_others(world: CampaignWorld) -> None:
    world.now = NOON + timedelta(hours=9)  # 21:00 in California, 6:00 in Rome
    sleeping = world.campaign([Contact(f"+1415555{index:04}") for index in range(250)])
    other = world.campaign([Contact("+81312345678")])  # 13:00 in Tokyo
    assert world.numbers(await world.look()) == ["+81312345678"]
    assert world.view(sleeping).contacts["pending"] == 250
    assert world.view(other).contacts["calling"] == 1
    assert len(await world.look(minutes=12 * 60)) == 2


async def test_numbers_whose_zones_share_no_hour_are_skipped(world: CampaignWorld) -> None:
    campaign = world.campaign([Contact("+18005550123"), Contact("+79161234567")], Rules(Window(time(9), time(10))))
    calls = await world.look()
    view = world.view(campaign)
    if view.outcomes:  # a number that may be in any of eleven zones
        assert view.outcomes == {"no-common-hour": 1}
    assert len(calls) <= 1


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("DO_NOT_CALL", "do-not-call"), ("COUNTRY", "country"), ("COSTLY", "costly"), ("OWN_NUMBER", "own-number")],
)
async def test_who_must_not_be_called_is_skipped_and_the_others_are_called(
    any_world: CampaignWorld, code: str, outcome: str
) -> None:
    world = any_world
    world.dialler.refuses[number(0)] = CallNotAllowed(code, "not this one", "phoneNumber")
    campaign = world.campaign(2)
    assert world.numbers(await world.look()) == [number(1)]
    contact = world.contact(0, campaign)
    assert (contact.status, contact.outcome, contact.attempts, contact.call_id) == ("skipped", outcome, 0, None)
    assert world.balance() == CREDITS - PRICE


async def test_who_may_be_called_later_is_called_later(world: CampaignWorld) -> None:
    world.dialler.refuses[number(0)] = CallNotAllowed("BEING_CALLED", "being called already", "phoneNumber")
    campaign = world.campaign(2)
    assert world.numbers(await world.look()) == [number(1)]
    world.dialler.refuses.clear()
    assert await world.look(minutes=14) == []
    assert world.numbers(await world.look(minutes=1)) == [number(0)]
    assert world.contact(0, campaign).attempts == 1


async def test_an_account_with_enough_calls_under_way_waits(world: CampaignWorld) -> None:
    world.dialler.refuses[number(0)] = CallNotAllowed("CONCURRENCY", "two at once")
    campaign = world.campaign(2)
    assert await world.look() == []
    assert world.view(campaign).status == "running"
    world.dialler.refuses.clear()
    assert len(await world.look()) == 2


async def test_an_account_makes_as_many_calls_in_a_while_as_its_plan_allows(any_world: CampaignWorld) -> None:
    world = any_world
    world.campaign(9, Rules(concurrency=50))
    asked: list[str] = []

    def window(plan: str) -> tuple[int, int]:
        asked.append(plan)
        return 4, 3600

    runner = CampaignRunner(
        world.database, world.dialler, quiet=QuietHours(time(21), time(8)), window=window, clock=lambda: world.now
    )
    await runner.round()
    await runner.started()
    assert (len(world.dialler.started), set(asked)) == (4, {"enterprise"})
    world.now += timedelta(minutes=60)
    world.dialler.now = world.now
    await runner.round()
    await runner.started()
    assert len(world.dialler.started) == 8
    assert world.balance() == CREDITS - 8 * PRICE


async def test_the_runners_rules_are_those_of_the_settings(settings: Settings, database: Database) -> None:
    world = CampaignWorld(database)
    plans = settings.plans.model_copy(
        update={"enterprise": settings.plans.enterprise.model_copy(update={"call": "1 per hour"})}
    )
    settings = settings.model_copy(update={"plans": plans})
    world.now = world.dialler.now = datetime.now(UTC)
    world.campaign([Contact("+18005550123"), *contacts(5)], Rules(Window(time(0), time(23, 59)), concurrency=50))
    always = settings.telephony.model_copy(update={"quiet_from": time(0), "quiet_until": time(0)})
    runner = CampaignRunner.of(settings.model_copy(update={"telephony": always}), database, world.dialler)
    await runner.round()
    await runner.started()
    assert len(world.dialler.started) == 1  # it is never 23:59 for all of them


@pytest.mark.parametrize("code", ["SPEND_DAY", "NO_SUCH_AGENT", "NOT_CONFIGURED", "SOMETHING_NEW"])
async def test_what_only_its_owner_can_mend_pauses_a_campaign(world: CampaignWorld, code: str) -> None:
    world.dialler.refuses[number(0)] = CallNotAllowed(code, "The reason")
    campaign = world.campaign(2)
    assert await world.look() == []
    view = world.view(campaign)
    assert (view.status, view.reason, view.contacts["pending"]) == ("paused", "The reason", 2)
    world.dialler.refuses.clear()
    world.database.run_here(store.resume, world.account, campaign, world.now)
    assert world.view(campaign).reason is None
    assert len(await world.look()) == 2


async def test_an_account_without_credits_pauses_its_campaign_and_owes_nothing(any_world: CampaignWorld) -> None:
    world = any_world
    world.database.run_here(ledger.withdraw, world.account, CREDITS - PRICE, "tests")
    campaign = world.campaign(3)
    (call,) = await world.look()
    view = world.view(campaign)
    assert (view.status, view.reason) == ("paused", "The account has not enough credits for another call")
    world.end(call)
    assert world.view(campaign).contacts == {"pending": 2, "calling": 0, "done": 1, "skipped": 0}
    assert (world.balance(), world.audit()) == (0, [])


async def test_a_paused_campaign_calls_nobody_and_its_calls_go_on(world: CampaignWorld) -> None:
    campaign = world.campaign(3, Rules(retries={"busy": Retry(1, 10)}))
    first, second = await world.look()
    world.database.run_here(store.pause, world.account, campaign, world.now)
    world.end(first)
    world.end(second, "busy")
    assert await world.look(minutes=30) == []
    view = world.view(campaign)
    assert (view.status, view.contacts) == ("paused", {"pending": 2, "calling": 0, "done": 1, "skipped": 0})
    world.database.run_here(store.resume, world.account, campaign, world.now)
    assert sorted(world.numbers(await world.look())) == [number(1), number(2)]


async def test_a_cancelled_campaign_is_over_when_its_last_call_is(any_world: CampaignWorld) -> None:
    world = any_world
    campaign = world.campaign(3, Rules(retries={"busy": Retry(5, 10)}))
    first, second = await world.look()
    world.database.run_here(store.cancel, world.account, campaign, world.now)
    view = world.view(campaign)
    assert (view.status, view.finished, view.contacts["skipped"]) == ("cancelled", None, 1)
    world.end(first, "busy")
    world.end(second)
    assert await world.look(minutes=60) == []
    view = world.view(campaign)
    assert view.outcomes == {"cancelled": 1, "busy": 1, "answered": 1}
    assert view.finished == world.now


async def test_accounts_take_turns_and_so_do_their_campaigns(world: CampaignWorld) -> None:
    other = world.database.run_here(create_account, "other", plan="enterprise", credits=CREDITS)
    many = Rules(concurrency=50)
    for digit in "123":
        world.campaign([Contact(f"+1415555{digit}{index:03}") for index in range(10)], many)
    world.campaign([Contact(f"+14155559{index:03}") for index in range(10)], many, account=other)
    carrier = asyncio.Event()

    class Slow(FakeDialler):
        async def start(self, call_id: str) -> None:
            await super().start(call_id)
            await carrier.wait()

    dialler = Slow()
    runner = world.another_runner(dialler)
    await runner.round()
    await asyncio.sleep(0)
    counts = Counter(each[8] for each in world.numbers(dialler.started))
    assert (counts.total(), counts["9"]) == (STARTS, STARTS // 2)
    assert sorted(counts[digit] for digit in "123") == [1, 1, 2]
    carrier.set()
    await runner.started()


async def test_two_processes_call_nobody_twice_and_not_too_many_at_once(any_world: CampaignWorld) -> None:
    world = any_world
    campaign = world.campaign(20, Rules(concurrency=5))
    diallers = [FakeDialler(), FakeDialler(), FakeDialler()]
    runners = [world.another_runner(dialler) for dialler in diallers]
    ended: set[str] = set()
    while world.view(campaign).status == "running":
        await asyncio.gather(*(runner.round() for runner in runners))
        await asyncio.gather(*(runner.started() for runner in runners))
        under_way = {call for dialler in diallers for call in dialler.started} - ended
        assert len(under_way) <= 5
        for call in sorted(under_way):
            world.end(call)
            ended.add(call)
    called = world.numbers([call for dialler in diallers for call in dialler.started])
    assert sorted(called) == sorted(contact.number for contact in contacts(20))
    assert (world.balance(), world.audit()) == (CREDITS - 20 * PRICE, [])


async def test_a_contact_whose_call_ended_untold_is_let_go(any_world: CampaignWorld) -> None:
    world = any_world
    campaign = world.campaign(2)
    first, second = await world.look()

    def silently(session: Session) -> None:
        call = steps.locked(session, first)
        assert call is not None
        call.sid, call.asked = "CA1", world.now
        steps.report(session, call, "busy", now=world.now)
        gone = update(CampaignContact).where(CampaignContact.call_id == second).values(call_id="gone")
        session.execute(gone)

    world.database.run_here(silently)
    await world.runner.tidy()
    await world.look()
    assert world.view(campaign).outcomes == {"busy": 1, "unknown": 1}


async def test_the_runner_runs_by_itself_and_stops_in_order(world: CampaignWorld) -> None:
    campaign = world.campaign(1)
    world.runner.start()
    while not world.dialler.started:
        await asyncio.sleep(0.01)
    world.end(world.dialler.started[0])
    while world.view(campaign).status == "running":
        await asyncio.sleep(0.05)
    await world.runner.close()
    await world.runner.close()


async def test_stopping_waits_for_a_start_that_is_under_way(world: CampaignWorld) -> None:
    going = asyncio.Event()

    class Slow(FakeDialler):
        async def start(self, call_id: str) -> None:
            going.set()
            await asyncio.sleep(0.05)
            await super().start(call_id)

    dialler = Slow()
    runner = world.another_runner(dialler)
    world.campaign(1)
    runner.start()
    await going.wait()
    await runner.close()
    assert len(dialler.started) == 1


async def test_a_start_that_fails_stops_nothing(world: CampaignWorld) -> None:
    class Broken(FakeDialler):
        async def start(self, call_id: str) -> None:
            await super().start(call_id)
            raise RuntimeError("the carrier is on fire")

    dialler = Broken()
    runner = world.another_runner(dialler)
    world.campaign(2)
    await runner.round()
    await runner.started()
    assert len(dialler.started) == 2
