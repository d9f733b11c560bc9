"""GET /api/usage/history: credits over time, and the ledger's lines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy.orm import Session

from server.credits import Day, Entry, daily, entries
from server.gate.call import ApiCall, ApiResult
from server.gate.families import Family
from server.gate.models import AnswerModel, QueryModel
from server.gate.registry import Endpoint
from server.platform.times import timestamp

LINES = 50


class HistoryQuery(QueryModel):
    """The last `days` days, today included (UTC)."""

    days: Annotated[int, Field(ge=1, le=366)] = 30


class UsedDay(AnswerModel):
    """A day: credits that were granted, and credits that work took less what was given back."""

    date: str
    granted: int
    spent: int


class LedgerLine(AnswerModel):
    """A change of the credits. `kind`: grant, withdraw, reserve, settle or refund."""

    kind: str
    change: int
    balance: int
    job_id: str | None
    reason: str
    created_at: str


class History(AnswerModel):
    """Every day of the period, the oldest first, and the newest lines of the ledger."""

    days: list[UsedDay]
    ledger: list[LedgerLine]


class HistoryAnswer(AnswerModel):
    """GET /api/usage/history."""

    data: History


def history_endpoint(*, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Endpoint:
    """The endpoint."""

    async def show(call: ApiCall[None]) -> ApiResult:
        query: HistoryQuery = call.query
        last = now().date()
        first = last - timedelta(days=query.days - 1)

        def read(session: Session) -> tuple[list[Day], list[Entry]]:
            return daily(session, call.account.id, first=first, last=last), entries(
                session, call.account.id, limit=LINES
            )

        found, lines = await call.database.read(read)
        by_day = {day.day: day for day in found}
        days = [first + timedelta(days=number) for number in range(query.days)]
        shown = [by_day.get(day) or Day(day, 0, 0) for day in days]
        return ApiResult(
            HistoryAnswer(
                data=History(
                    days=[UsedDay(date=day.day.isoformat(), granted=day.granted, spent=day.spent) for day in shown],
                    ledger=[_line(line) for line in lines],
                )
            )
        )

    return Endpoint(
        family=Family.F2,
        method="GET",
        path="/api/usage/history",
        summary="Get usage over time",
        description="Credits granted and spent on each day (UTC), and the latest lines of the credit ledger.",
        handler=show,
        query=HistoryQuery,
        answers={200: HistoryAnswer},
        limit="read",
    )


def _line(entry: Entry) -> LedgerLine:
    return LedgerLine(
        kind=entry.kind,
        change=entry.change,
        balance=entry.balance,
        job_id=entry.job_id,
        reason=entry.reason,
        created_at=timestamp(entry.created),
    )
