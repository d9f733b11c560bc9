"""What the wire tells of calls, in the books of both databases."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy.orm import Session

from server.calling.books import IS_OVER, NO_SUCH_NUMBER, NOT_AVAILABLE
from server.calling.guard import CallNotAllowed
from server.credits import usage, withdraw
from server.database import finish_call
from server.database.tables import PhoneCall, PhoneNumber
from server.phone.book import CallFacts, CallOrder, CallRefused, Outcome
from server.settings import Settings
from tests.server.calling.world import CALLEE, CREDITS, NOON, OURS, Calls, settings_of, sid


async def test_an_outbound_call_is_ordered_answered_and_paid_by_the_carriers_seconds(calls: Calls) -> None:
    call_id = await calls.order()
    assert calls.balance() == CREDITS - 10
    await calls.books.report(call_id, "initiated", sid=sid())
    await calls.books.report(call_id, "ringing", sid=sid())
    assert calls.row(call_id).state == "ringing"
    order = await calls.books.answered(call_id, sid())
    assert order == CallOrder(call_id, calls.account, "demo", "outbound", CALLEE, OURS, {"name": "Ada"})
    await calls.books.report(call_id, "completed", sid=sid(), seconds=61)
    row = calls.row(call_id)
    assert (row.state, row.seconds, row.minutes, row.cost, row.billed) == ("completed", 61, 2, 20, True)
    assert calls.balance() == CREDITS - 20
    assert calls.reservations(call_id) == {"1": "settled", "2": "settled"}
    assert (calls.conversation(call_id).ended, calls.conversation(call_id).end_reason) == (NOON, "completed")
    counted = calls.database.run_here(usage, calls.account, since=NOON)
    assert counted.counts == {"call_minute": 2}
    assert calls.wrong() == []


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
async def test_who_did_not_answer_costs_nothing(calls: Calls, status: str) -> None:
    call_id = await calls.order()
    await calls.books.report(call_id, status, sid=sid(), seconds=0)
    row = calls.row(call_id)
    assert (row.state, row.cost, row.minutes, row.answered) == (status, 0, 0, None)
    assert calls.reservations(call_id) == {"1": "refunded"}
    assert (calls.balance(), calls.wrong()) == (CREDITS, [])


async def test_a_late_completed_after_another_end_is_paid(calls: Calls) -> None:
    call_id = await calls.order()
    await calls.books.report(call_id, "failed", sid=sid())
    await calls.books.report(call_id, "completed", sid=sid(), seconds=130)
    for _ in range(2):
        await calls.books.report(call_id, "completed", sid=sid(), seconds=400)
    row = calls.row(call_id)
    assert (row.state, row.seconds, row.cost) == ("completed", 130, 30)
    assert calls.reservations(call_id) == {"1": "refunded", "1.again": "settled", "2": "settled", "3": "settled"}
    assert (calls.balance(), calls.wrong()) == (CREDITS - 30, [])


async def test_an_account_that_cannot_pay_what_is_due_pays_what_it_can(calls: Calls) -> None:
    call_id = await calls.order()
    calls.database.run_here(withdraw, calls.account, CREDITS - 25, "elsewhere")
    await calls.books.report(call_id, "completed", sid=sid(), seconds=600)
    assert (calls.row(call_id).cost, calls.row(call_id).minutes) == (20, 2)
    assert (calls.balance(), calls.wrong()) == (5, [])


async def test_another_id_than_the_calls_own_is_ignored(calls: Calls) -> None:
    call_id, other = await calls.order(), await calls.order("+447400123457")
    await calls.books.report(call_id, "ringing", sid=sid(1))
    await calls.books.report(call_id, "completed", sid=sid(2), seconds=60)
    assert await calls.books.answered(call_id, sid(2)) is None
    assert calls.row(call_id).state == "ringing"
    await calls.books.report(other, "completed", sid=sid(1), seconds=60)  # it is the first one's
    assert calls.row(other).sid is None
    assert calls.row(other).state == "queued"
    await calls.books.report("call_unknown", "completed", sid=sid(9))
    await calls.books.report("", "completed", sid=sid(9))
    assert await calls.books.answered("call_unknown", sid(9)) is None


async def test_a_call_that_is_over_is_not_answered(calls: Calls) -> None:
    call_id = await calls.order()
    assert await calls.books.cancel(call_id)
    assert not await calls.books.cancel(call_id)
    assert await calls.books.answered(call_id, sid()) is None
    assert (calls.row(call_id).state, calls.balance()) == ("canceled", CREDITS)


async def test_somebody_calls_and_the_same_sid_is_the_same_call(paid: Calls) -> None:
    made = await asyncio.gather(*(paid.incoming() for _ in range(5)))
    (order,) = {order.call_id: order for order in made if isinstance(order, CallOrder)}.values()
    assert order == CallOrder(order.call_id, paid.account, "demo", "inbound", CALLEE, OURS, {})
    assert len(paid.rows()) == 1
    row, conversation = paid.row(order.call_id), paid.conversation(order.call_id)
    assert (row.state, row.sid, row.carrier, row.minutes, row.cost) == ("in-progress", sid(), "twilio", 1, 3)
    assert (conversation.agent, conversation.channel, conversation.peer) == ("demo", "phone", CALLEE)
    paid.clock.advance(65)
    await paid.books.line_closed(order.call_id, "the caller hung up")
    assert paid.row(order.call_id).state == "completed"
    assert paid.conversation(order.call_id).end_reason == "the caller hung up"
    assert (paid.balance(), paid.wrong()) == (CREDITS - 6, [])
    assert await paid.incoming() == CallRefused(IS_OVER)
    counted = paid.database.run_here(usage, paid.account, since=NOON)
    assert counted.counts == {"inbound_minute": 2}


async def test_the_carrier_may_say_that_an_inbound_call_was_longer(paid: Calls) -> None:
    order = await paid.incoming()
    assert isinstance(order, CallOrder)
    paid.clock.advance(59.7)
    await paid.books.line_closed(order.call_id, "")
    await paid.books.report("", "completed", sid=sid(), seconds=61)
    await paid.books.report("", "completed", sid=sid(), seconds=61)
    assert (paid.row(order.call_id).seconds, paid.balance(), paid.wrong()) == (61, CREDITS - 6, [])


async def test_inbound_calls_cost_nothing_by_default_and_are_counted(calls: Calls) -> None:
    calls.database.run_here(withdraw, calls.account, CREDITS, "elsewhere")
    order = await calls.incoming()
    assert isinstance(order, CallOrder)
    await calls.books.report("", "completed", sid=sid(), seconds=90)
    assert calls.database.run_here(usage, calls.account, since=NOON).counts == {"inbound_minute": 2}
    assert (calls.balance(), calls.wrong()) == (0, [])


async def test_without_credits_a_paid_line_is_refused_and_nothing_is_left(paid: Calls) -> None:
    paid.database.run_here(withdraw, paid.account, CREDITS - 2, "elsewhere")
    assert await paid.incoming() == CallRefused(NOT_AVAILABLE)
    assert (paid.rows(), paid.balance(), paid.wrong()) == ([], 2, [])


async def test_while_no_number_is_mapped_every_number_reaches_the_urls_agent_or_the_default_one(calls: Calls) -> None:
    stranger = calls.other_account()
    calls.agent(stranger, "agent_theirs")
    first = await calls.incoming(1, called="sip:us@example.com")
    second = await calls.incoming(2, agent_id="agent_theirs")
    assert isinstance(first, CallOrder)
    assert isinstance(second, CallOrder)
    assert (first.agent_id, first.account_id) == ("demo", calls.account)
    assert (second.agent_id, second.account_id) == ("agent_theirs", stranger)
    assert await calls.incoming(3, agent_id="agent_unknown") == CallRefused(NO_SUCH_NUMBER)


async def test_a_mapped_number_reaches_its_agent_whatever_the_url_names_and_others_reach_nobody(calls: Calls) -> None:
    calls.agent()
    calls.database.run_here(calls.numbers.put, calls.account, OURS, "agent_1", None)
    order = await calls.incoming(agent_id="demo")
    assert isinstance(order, CallOrder)
    assert order.agent_id == "agent_1"
    assert await calls.incoming(2, called="+14155550199", agent_id="demo") == CallRefused(NO_SUCH_NUMBER)


async def test_numbers_of_the_settings_are_mapped_too(calls: Calls, settings: Settings) -> None:
    made = Calls(calls.database, settings_of(settings, numbers={OURS: "agent_1"}))
    made.agent(calls.account)
    order = await made.incoming()
    assert isinstance(order, CallOrder)
    assert (order.agent_id, order.account_id) == ("agent_1", calls.account)
    assert await made.incoming(2, called="+14155550199") == CallRefused(NO_SUCH_NUMBER)


async def test_an_agent_never_answers_the_number_of_another_account(calls: Calls) -> None:
    stranger = calls.other_account()
    calls.agent(stranger, "agent_theirs")
    calls.agent()
    calls.database.run_here(calls.numbers.put, calls.account, OURS, "agent_1", None)

    def steal(session: Session) -> None:
        session.get_one(PhoneNumber, OURS).agent_id = "agent_theirs"

    calls.database.run_here(steal)
    assert await calls.incoming() == CallRefused(NO_SUCH_NUMBER)


@pytest.mark.parametrize("changed", [{"status": "processing"}, {"account_id": None, "visitor": "v"}, {"expires": NOON}])
async def test_agents_that_are_not_an_accounts_or_not_ready_answer_no_calls(
    calls: Calls, changed: dict[str, Any]
) -> None:
    calls.agent(**changed)
    assert await calls.incoming(agent_id="agent_1") == CallRefused(NO_SUCH_NUMBER)
    with pytest.raises(CallNotAllowed, match="no such agent") as caught:
        await calls.order(agent_id="agent_1")
    assert (caught.value.code, caught.value.field) == ("NO_SUCH_AGENT", "agentId")


async def test_what_is_learnt_of_a_call_is_noted(calls: Calls) -> None:
    call_id = await calls.order()
    await calls.books.note(call_id, CallFacts(answered_by="machine", outcome="left a message"))
    await calls.books.note("call_unknown", CallFacts(outcome="x"))
    row = calls.row(call_id)
    assert (row.answered_by, row.outcome) == ("machine", "left a message")


async def test_who_opts_out_is_not_called_again(calls: Calls) -> None:
    call_id = await calls.order()
    for _ in range(2):
        await calls.books.opted_out(call_id)
    await calls.books.report(call_id, "completed", sid=sid(), seconds=5)
    assert calls.row(call_id).outcome == Outcome.OPTED_OUT
    with pytest.raises(CallNotAllowed, match="asked not to be called") as caught:
        await calls.order()
    assert caught.value.code == "DO_NOT_CALL"
    stranger = calls.other_account()
    assert await calls.order(account=stranger, agent_id=calls.agent(stranger))  # the list is an account's own


async def test_the_end_of_a_call_is_told_once_in_its_own_transaction(calls: Calls) -> None:
    told: list[tuple[str, str]] = []
    calls.books.on_ended.append(lambda _, call: told.append((call.call_id, call.state)))
    call_id = await calls.order()
    for status in ("ringing", "completed", "completed", "busy"):
        await calls.books.report(call_id, status, sid=sid(), seconds=5)
    assert told == [(call_id, "completed")]

    def fail(_session: Session, _call: PhoneCall) -> None:
        raise RuntimeError("no")

    other = await calls.order("+447400123457")
    calls.books.on_ended.append(fail)
    with pytest.raises(RuntimeError):
        await calls.books.report(other, "completed", sid=sid(2), seconds=5)
    assert (calls.row(other).state, calls.wrong()) == ("queued", [])


async def test_an_outbound_line_that_closes_waits_for_its_carriers_word(calls: Calls) -> None:
    call_id = await calls.order()
    await calls.books.answered(call_id, sid())
    await calls.books.line_closed(call_id, "the caller hung up")
    assert calls.row(call_id).state == "in-progress"
    await calls.books.report(call_id, "completed", sid=sid(), seconds=5)
    assert calls.conversation(call_id).end_reason == "the caller hung up"


async def test_what_the_conversation_says_of_its_end_is_kept_whoever_comes_first(calls: Calls) -> None:
    for number, carrier_first in enumerate((True, False), 1):
        call_id = await calls.order(f"+44740012345{number}")
        await calls.books.answered(call_id, sid(number))
        if not carrier_first:
            await calls.database.run(finish_call, call_id, "the caller hung up")
        await calls.books.report(call_id, "completed", sid=sid(number), seconds=9)
        if carrier_first:
            await calls.database.run(finish_call, call_id, "the caller hung up")
        conversation = calls.conversation(call_id)
        assert conversation.end_reason == "the caller hung up"
        assert conversation.ended is not None
