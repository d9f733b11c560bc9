"""F2: campaigns, whose contacts an agent calls one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy.orm import Session
from starlette.responses import Response

from server.calling.owners import AgentOwners
from server.campaigns import store
from server.campaigns.contacts import MOST_CONTACTS, ContactsRefused, read_csv
from server.campaigns.results import write_csv
from server.campaigns.store import CampaignEnded, CampaignView, TooManyContacts
from server.families.campaign_shapes import (
    LARGEST_CSV,
    AddedAnswer,
    AddedContacts,
    CampaignAnswer,
    CampaignRequest,
    CampaignsAnswer,
    CampaignsQuery,
    contacts_of,
    rules_of,
    shown,
)
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Conflict, Forbidden, Invalid, NotFound
from server.gate.families import Family
from server.gate.registry import Endpoint
from server.middleware.body import BodyBounds
from server.settings import Settings
from telephony.quiet_hours import QuietHours

PATH: Final = "/api/voice-agent/campaigns"
_JSON_BOUNDS: Final = BodyBounds(8 << 20, 60.0)
_CSV_BOUNDS: Final = BodyBounds(LARGEST_CSV, 60.0)


class Campaigns:
    """The endpoints."""

    def __init__(
        self, settings: Settings, owners: AgentOwners, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._telephony = settings.telephony
        self._quiet = QuietHours(settings.telephony.quiet_from, settings.telephony.quiet_until)
        self._owners = owners
        self._now = now

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            *self._making(),
            *(_steering(name, summary, work) for name, summary, work in self._steps()),
            Endpoint(
                family=Family.F2,
                method="GET",
                path=PATH,
                summary="List campaigns",
                handler=self.list,
                query=CampaignsQuery,
                answers={200: CampaignsAnswer},
                limit="read",
            ),
            Endpoint(
                family=Family.F2,
                method="GET",
                path=f"{PATH}/{{campaign}}",
                summary="Read a campaign",
                handler=self.show,
                answers={200: CampaignAnswer},
                limit="read",
            ),
            Endpoint(
                family=Family.F2,
                method="GET",
                path=f"{PATH}/{{campaign}}/results.csv",
                summary="Download what a campaign came to",
                description="A line for each contact (text/csv): its number, status, outcome, attempts, last call, and"
                " its variables. What a spreadsheet would run as a formula has an apostrophe before it.",
                handler=self.results,
                answers={200: None},
                limit="read",
            ),
        ]

    def _making(self) -> list[Endpoint]:
        return [
            Endpoint(
                family=Family.F2,
                method="POST",
                path=PATH,
                summary="Start a campaign",
                description=f"An agent calls up to {MOST_CONTACTS} people, each once, and again as `retries` say."
                " Each call costs what a call costs. A number that is there twice is refused.",
                handler=self.create,
                body=CampaignRequest,
                answers={201: CampaignAnswer},
                limit="write",
                paid=True,
                bounds=_JSON_BOUNDS,
            ),
            Endpoint(
                family=Family.F2,
                method="POST",
                path=f"{PATH}/{{campaign}}/contacts",
                summary="Add contacts to a campaign",
                description="CSV (RFC 4180, UTF-8) whose header names a column phoneNumber; others are variables."
                " People who are in the campaign already are not called once more.",
                handler=self.add,
                takes="text/csv",
                answers={200: AddedAnswer},
                limit="write",
                errors=frozenset({409}),
                bounds=_CSV_BOUNDS,
            ),
        ]

    def _steps(self) -> list[tuple[str, str, Any]]:
        return [
            ("pause", "Pause a campaign", self.pause),
            ("resume", "Go on with a campaign", self.resume),
            ("", "Cancel a campaign", self.cancel),
        ]

    async def create(self, call: ApiCall[CampaignRequest]) -> ApiResult:
        """POST /api/voice-agent/campaigns."""
        request = call.body
        if not self._telephony.can_dial:
            raise Forbidden("This server places no calls: the settings of telephony name no account or number for it")
        rules = rules_of(request, self._quiet)
        contacts = await asyncio.to_thread(contacts_of, request, self._telephony.may_call)

        def work(session: Session) -> ApiResult:
            if not self._owners.owns(session, call.account.id, request.agent_id):
                raise Invalid("there is no such agent", field="agentId")
            made = store.create(
                session,
                call.account.id,
                name=request.name,
                agent_id=request.agent_id,
                rules=rules,
                contacts=contacts,
                now=self._now(),
            )
            return ApiResult(CampaignAnswer(data=shown(made)))

        return await call.transact(work)

    async def add(self, call: ApiCall[str]) -> ApiResult:
        """POST /api/voice-agent/campaigns/{campaign}/contacts."""
        try:
            contacts = await asyncio.to_thread(read_csv, call.body, self._telephony.may_call)
            added = await call.database.run(store.add, call.account.id, call.path["campaign"], contacts, self._now())
        except ContactsRefused as error:
            raise Invalid(str(error)) from None
        except CampaignEnded:
            raise Conflict("The campaign has ended: start another one") from None
        except TooManyContacts:
            raise Invalid(f"The campaign would have more than {MOST_CONTACTS} contacts: start another one") from None
        if added is None:
            raise _missing()
        return ApiResult(AddedAnswer(data=AddedContacts(added=added.added, already_there=added.already)))

    async def list(self, call: ApiCall[None]) -> ApiResult:
        """GET /api/voice-agent/campaigns."""
        query: CampaignsQuery = call.query
        try:
            found, more = await call.database.read(
                store.page, call.account.id, limit=query.limit, after=query.starting_after
            )
        except LookupError:
            raise Invalid("there is no such campaign", field="startingAfter") from None
        return ApiResult(CampaignsAnswer(data=[shown(each) for each in found], has_more=more))

    async def show(self, call: ApiCall[None]) -> ApiResult:
        """GET /api/voice-agent/campaigns/{campaign}."""
        return _answer(await call.database.read(store.find, call.account.id, call.path["campaign"]))

    async def results(self, call: ApiCall[None]) -> Response:
        """GET /api/voice-agent/campaigns/{campaign}/results.csv."""

        def table(session: Session) -> str | None:
            rows = store.results(session, call.account.id, call.path["campaign"])
            return None if rows is None else write_csv(rows)

        text = await call.database.read(table)
        if text is None:
            raise _missing()
        headers = {"content-disposition": 'attachment; filename="results.csv"', "x-content-type-options": "nosniff"}
        return Response(text, media_type="text/csv", headers=headers)

    async def pause(self, call: ApiCall[None]) -> ApiResult:
        """POST /api/voice-agent/campaigns/{campaign}/pause."""
        return await self._change(call, store.pause)

    async def resume(self, call: ApiCall[None]) -> ApiResult:
        """POST /api/voice-agent/campaigns/{campaign}/resume."""
        return await self._change(call, store.resume)

    async def cancel(self, call: ApiCall[None]) -> ApiResult:
        """DELETE /api/voice-agent/campaigns/{campaign}."""
        return await self._change(call, store.cancel)

    async def _change(
        self, call: ApiCall[None], change: Callable[[Session, str, str, datetime], CampaignView | None]
    ) -> ApiResult:
        try:
            return _answer(await call.database.run(change, call.account.id, call.path["campaign"], self._now()))
        except CampaignEnded:
            raise Conflict("The campaign has ended") from None


def _steering(name: str, summary: str, handler: Any) -> Endpoint:
    return Endpoint(
        family=Family.F2,
        method="POST" if name else "DELETE",
        path=f"{PATH}/{{campaign}}" + (f"/{name}" if name else ""),
        summary=summary,
        description="Calls under way go on to their end.",
        handler=handler,
        answers={200: CampaignAnswer},
        limit="write" if name else "delete",
        errors=frozenset({409}),
    )


def _missing() -> NotFound:
    return NotFound("There is no such campaign")


def _answer(campaign: CampaignView | None) -> ApiResult:
    if campaign is None:
        raise _missing()
    return ApiResult(CampaignAnswer(data=shown(campaign)))
