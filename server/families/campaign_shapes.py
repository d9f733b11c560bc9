"""Campaigns as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import time
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from server.campaigns.contacts import (
    LONGEST_VALUE,
    MOST_CONTACTS,
    MOST_VARIABLES,
    NAME,
    Contact,
    ContactsRefused,
    checked,
    read_csv,
)
from server.campaigns.rules import LARGEST_CONCURRENCY, Hours, Retry, Rules, Window, WindowShut
from server.campaigns.store import CampaignView
from server.gate.errors import Invalid
from server.gate.models import AnswerModel, CamelRequest, Identifier, QueryModel, Said, Whole
from server.jobs.shapes import timestamp
from telephony.quiet_hours import QuietHours

LARGEST_CSV: Final = 2 << 20

ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
VariableName = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
VariableText = Annotated[str, StringConstraints(max_length=LONGEST_VALUE)]
Variables = Annotated[
    dict[VariableName, VariableText | Whole | float | bool], Field(max_length=MOST_VARIABLES, default_factory=dict)
]


class ContactRequest(CamelRequest):
    """Somebody to call: a number (E.164) and what the agent's texts are filled in with."""

    phone_number: Annotated[str, Field(max_length=40)]
    variables: Variables


class WindowRequest(CamelRequest):
    """When they are called, by the clock where they are: `HH:MM`, and days of the week (default: all)."""

    from_: Annotated[ClockTime, Field(alias="from")] = "09:00"
    until: ClockTime = "18:00"
    days: Annotated[list[Day], Field(min_length=1, max_length=7)] | None = None


class RetryRequest(CamelRequest):
    """How often, and how much later, somebody is called again."""

    times: Annotated[Whole, Field(ge=0, le=10)]
    after_minutes: Annotated[Whole, Field(ge=1, le=7 * 24 * 60)] = 60


class RetriesRequest(CamelRequest):
    """After which outcomes somebody is called again."""

    busy: RetryRequest | None = None
    no_answer: RetryRequest | None = None
    failed: RetryRequest | None = None
    machine: RetryRequest | None = None


class CampaignRequest(CamelRequest):
    """A campaign. Whom it calls is in `contacts`, or in `csv`: a header with a column phoneNumber, others variables."""

    name: Annotated[Said, Field(max_length=100)]
    agent_id: Identifier
    contacts: Annotated[list[ContactRequest], Field(min_length=1, max_length=MOST_CONTACTS)] | None = None
    csv: Annotated[str, Field(min_length=1, max_length=LARGEST_CSV)] | None = None
    window: WindowRequest = Field(default_factory=lambda: WindowRequest.model_validate({}))
    concurrency: Annotated[Whole, Field(ge=1, le=LARGEST_CONCURRENCY)] = 2
    retries: RetriesRequest = RetriesRequest()


class CampaignsQuery(QueryModel):
    """Which part of the list: the newest `limit` campaigns, or those after the campaign `startingAfter`."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    starting_after: Annotated[Identifier | None, Field(alias="startingAfter")] = None


class ShownWindow(AnswerModel):
    """When people are called, by the clock where they are."""

    from_: str = Field(alias="from")
    until: str
    days: list[Day]


class ShownRetry(AnswerModel):
    """How often, and how much later, somebody is called again."""

    times: int
    after_minutes: int


class ShownCampaign(AnswerModel):
    """A campaign. `contacts`: how many are in each status; `outcomes`: what came of those that are done or skipped."""

    id: str
    name: str
    agent_id: str
    status: Literal["running", "paused", "completed", "cancelled"]
    reason: str | None
    window: ShownWindow
    concurrency: int
    retries: dict[str, ShownRetry]
    contacts: dict[str, int]
    outcomes: dict[str, int]
    created_at: str
    updated_at: str
    finished_at: str | None


class CampaignAnswer(AnswerModel):
    """One campaign."""

    data: ShownCampaign


class CampaignsAnswer(AnswerModel):
    """A page of campaigns, the newest first."""

    data: list[ShownCampaign]
    has_more: bool


class AddedContacts(AnswerModel):
    """`added`: people who are called from now on; `alreadyThere`: those who were in the campaign before."""

    added: int
    already_there: int


class AddedAnswer(AnswerModel):
    """An upload of contacts."""

    data: AddedContacts


def rules_of(request: CampaignRequest, quiet: QuietHours) -> Rules:
    """How the campaign calls. Raises `Invalid`."""
    asked = request.window
    days = {} if asked.days is None else {"days": frozenset[str](asked.days)}
    try:
        window = Window(time.fromisoformat(asked.from_), time.fromisoformat(asked.until), **days)
        Hours(window, quiet)
    except WindowShut as error:
        raise Invalid(str(error), field="window") from None
    given: Mapping[str, RetryRequest | None] = {
        "busy": request.retries.busy,
        "noAnswer": request.retries.no_answer,
        "failed": request.retries.failed,
        "machine": request.retries.machine,
    }
    retries: Any = {name: Retry(each.times, each.after_minutes) for name, each in given.items() if each is not None}
    return Rules(window, request.concurrency, retries)


def contacts_of(request: CampaignRequest, countries: AbstractSet[str]) -> list[Contact]:
    """Whom the campaign calls. Raises `Invalid`."""
    if (request.contacts is None) is (request.csv is None):
        raise Invalid("exactly one of contacts and csv must be given", field="contacts")
    try:
        if request.csv is not None:
            return read_csv(request.csv, countries)
        return checked([(each.phone_number, each.variables) for each in request.contacts or ()], countries)
    except ContactsRefused as error:
        raise Invalid(str(error), field="csv" if request.csv is not None else None) from None


def shown(campaign: CampaignView) -> ShownCampaign:
    """A campaign as its owner sees it."""
    return ShownCampaign.model_validate(
        {
            **campaign.rules.as_json(),
            "id": campaign.id,
            "name": campaign.name,
            "agentId": campaign.agent_id,
            "status": campaign.status.value,
            "reason": campaign.reason,
            "contacts": dict(campaign.contacts),
            "outcomes": dict(campaign.outcomes),
            "createdAt": timestamp(campaign.created),
            "updatedAt": timestamp(campaign.updated),
            "finishedAt": timestamp(campaign.finished),
        }
    )
