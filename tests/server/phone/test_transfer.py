from server.phone.book import CallOrder
from server.phone.transfer import (
    ANSWERING_SECONDS,
    GONE_SECONDS,
    MOST_CALLS,
    RINGING_SLACK,
    Stage,
    Transfers,
    TransferWish,
)

ORDER = CallOrder("c1", "a1", "demo", "inbound", "+15005550006", "+14155550123")
WISH = TransferWish("+14155550199", "the cook", warm=True)
RING = 30.0


def begun(transfers: Transfers, now: float = 0.0, order: CallOrder = ORDER, sid: str = "CA1") -> None:
    transfers.begin(now, order, WISH, sid=sid, history="What was said before:\nCaller: hi", ring_seconds=RING)


def test_a_call_comes_back_with_what_was_said_and_the_same_again() -> None:
    transfers = Transfers()
    begun(transfers)
    first = transfers.back("c1", "CA1", "busy")
    assert first is not None
    assert "could not reach the cook" in first.resumption.opening
    assert "the line was busy" in first.resumption.notes
    assert "Caller: hi" in first.resumption.notes
    assert transfers.of("c1") is None
    assert transfers.back("c1", "CA1", "no-answer") == first
    assert transfers.back("c1", "CA9", "busy") is None, "another line"


def test_a_call_that_came_back_may_be_transferred_again() -> None:
    transfers = Transfers()
    begun(transfers)
    transfers.back("c1", "CA1", "busy")
    begun(transfers)
    assert transfers.returned("c1", "CA1") is None
    assert transfers.of("c1", "CA1") is not None


def test_nobody_waits_for_an_answer_for_ever() -> None:
    transfers = Transfers()
    begun(transfers)
    transfer = transfers.of("c1")
    assert transfer is not None
    assert transfers.held(RING + RINGING_SLACK - 1, transfer) is Stage.BEGUN
    assert transfers.held(RING + RINGING_SLACK, transfer) is Stage.FAILED
    assert transfer.failure == "no-answer"


def test_who_has_answered_may_ask_before_they_decide_but_not_for_ever() -> None:
    transfers = Transfers()
    begun(transfers)
    transfer = transfers.of("c1")
    assert transfer is not None
    transfer.answered(20.0)
    assert transfers.held(20.0 + ANSWERING_SECONDS - 1, transfer) is Stage.BEGUN
    assert transfers.held(20.0 + ANSWERING_SECONDS, transfer) is Stage.FAILED


def test_who_takes_the_call_meets_only_a_caller_who_still_waits() -> None:
    transfers = Transfers()
    begun(transfers)
    transfer = transfers.of("c1")
    assert transfer is not None
    transfers.held(10.0, transfer)
    assert not transfer.accept(10.0 + GONE_SECONDS)
    assert transfer.stage is Stage.BEGUN
    assert transfer.accept(10.0 + GONE_SECONDS - 1)
    assert transfer.accept(1000.0), "it stands"


def test_who_has_met_the_caller_cannot_decline_any_more() -> None:
    transfers = Transfers()
    begun(transfers)
    transfer = transfers.of("c1")
    assert transfer is not None
    transfer.stage = Stage.JOINED
    transfer.fail("declined")
    assert transfer.stage is Stage.JOINED


def test_the_first_line_that_answers_is_the_persons_and_never_the_callers() -> None:
    transfers = Transfers()
    begun(transfers)
    transfer = transfers.of("c1")
    assert transfer is not None
    assert not transfers.adopts(transfer, "CA1")
    assert transfers.adopts(transfer, "CA2")
    assert transfers.adopts(transfer, "CA2")
    assert not transfers.adopts(transfer, "CA3")
    assert transfers.knows_leg("CA2")
    assert not transfers.knows_leg("CA3")


def test_the_store_is_bounded_and_forgets_what_is_over() -> None:
    transfers = Transfers()
    for number in range(MOST_CALLS + 1):
        order = CallOrder(f"c{number}", "a1", "demo", "inbound", "", "")
        begun(transfers, order=order, sid=f"CA{number}")
    assert transfers.of("c0") is None
    assert transfers.call_of("CA5") == "c5"
    assert transfers.over("c5") is not None
    assert transfers.over("c5") is None
    assert transfers.call_of("CA5") == ""
    for number in range(MOST_CALLS + 1):
        transfers.found(CallOrder(f"d{number}", "a1", "demo", "inbound", "", ""), f"CB{number}", "busy")
    assert transfers.returned("d0", "CB0") is None
