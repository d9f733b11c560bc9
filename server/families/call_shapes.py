"""What clients send and see of calls."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from server.calling.steps import GOING_ON
from server.families.calls import CallRecord, TurnRecord
from server.families.campaign_shapes import Variables
from server.gate.models import AnswerModel, CamelRequest, Identifier, QueryModel, Said
from server.jobs.shapes import Sign, timestamp

Status = Literal["active", "queued", "ringing", "in-progress", "completed", "busy", "no-answer", "failed", "canceled"]
Number = Annotated[Said, Field(max_length=40)]
"""A telephone number in E.164 form; what else is wrong with it is said by whoever looks at it."""


class OutboundRequest(CamelRequest):
    """Whom an agent calls. `variables`: what `{name}` stands for in the agent's texts."""

    agent_id: Identifier
    phone_number: Number
    variables: Variables


class CallsQuery(QueryModel):
    """One call, with what was said in it (`id`), or the newest `limit` calls, or those after the call `startingAfter`.

    `status`: `active` for every call that goes on.
    """

    id: Identifier | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    starting_after: Annotated[Identifier | None, Field(alias="startingAfter")] = None
    agent_id: Annotated[Identifier | None, Field(alias="agentId")] = None
    status: Status | None = None
    direction: Literal["inbound", "outbound"] | None = None


class StartedCall(AnswerModel):
    """A call that was ordered."""

    call_id: str
    status: Literal["active"]


class StartedAnswer(AnswerModel):
    """POST /api/voice-agent/calls/outbound."""

    data: StartedCall


class CallStatus(AnswerModel):
    """How a call stands."""

    call_id: str
    status: Status


class HungUpAnswer(AnswerModel):
    """DELETE /api/voice-agent/calls/{id}."""

    data: CallStatus


class VoiceCall(AnswerModel):
    """A call: who called or was called, when, how it ended and what it cost. `turns`: exchanges that were spoken.

    `status`: of calls in the browser only active or completed. `answeredBy`: human, machine or unknown.
    `recordingUrl`: signed, for a day.
    """

    id: str
    agent_id: str
    channel: str
    direction: Literal["inbound", "outbound"]
    peer: str
    status: Status
    started_at: str
    answered_at: str | None
    ended_at: str | None
    duration_seconds: float | None
    end_reason: str | None
    turns: int
    cost: int
    answered_by: str | None
    outcome: str | None
    error: str | None
    recording_url: str | None


class SpokenTurn(AnswerModel):
    """An exchange: what the caller said, what the agent was to say, and what of it was heard.

    `words`: `{"caller": [[word, begin, end], …], "agent": […]}` in seconds from the beginning, where they are kept.
    """

    at: str
    caller: str
    agent: str
    heard: str
    interrupted: bool
    words: dict[str, Any] | None


class VoiceCallInFull(VoiceCall):
    """The same, with what was said."""

    transcript: list[SpokenTurn]


class VoiceCalls(AnswerModel):
    """A page of calls, the newest first."""

    data: list[VoiceCall]
    has_more: bool


class VoiceCallAnswer(AnswerModel):
    """One call."""

    data: VoiceCallInFull


class CallsAnswer(RootModel[VoiceCalls | VoiceCallAnswer]):
    """A page of calls, or with `id` the one."""


def shown(call: CallRecord, sign: Sign) -> VoiceCall:
    """A call as its owner sees it."""
    return VoiceCall(**_fields(call, sign))


def shown_in_full(call: CallRecord, turns: list[TurnRecord], sign: Sign) -> VoiceCallInFull:
    """The same, with what was said."""
    spoken = [
        SpokenTurn(
            at=timestamp(turn.began),
            caller=turn.transcript,
            agent=turn.answer,
            heard=turn.heard,
            interrupted=turn.interrupted,
            words=None if turn.words is None else dict(turn.words),
        )
        for turn in turns
    ]
    return VoiceCallInFull(**_fields(call, sign), transcript=spoken)


def _fields(call: CallRecord, sign: Sign) -> dict[str, Any]:
    phone = call.phone
    going_on = call.ended is None if phone is None else phone.state in GOING_ON
    seen_as = phone.state if phone is not None else "active" if going_on else "completed"
    return {
        "id": call.id,
        "agent_id": call.agent,
        "channel": call.channel,
        "direction": phone.direction if phone else "inbound",
        "peer": call.peer,
        "status": seen_as,
        "started_at": timestamp(call.started),
        "answered_at": timestamp(phone.answered if phone else call.started),
        "ended_at": None if going_on else timestamp(call.ended),
        "duration_seconds": None if going_on else _duration(call),
        "end_reason": None if going_on else call.end_reason,
        "turns": call.turns,
        "cost": phone.cost if phone else 0,
        "answered_by": phone.answered_by if phone else None,
        "outcome": phone.outcome if phone else None,
        "error": phone.error if phone else None,
        "recording_url": sign(phone.recording) if phone and phone.recording else None,
    }


def _duration(call: CallRecord) -> float | None:
    """Seconds of a call that is over: those that were billed, where the carrier has told them."""
    began = call.started
    if call.phone is not None:
        if call.phone.answered is None:
            return 0.0
        if call.phone.seconds is not None:
            return float(call.phone.seconds)
        began = call.phone.answered
    return None if call.ended is None else round((call.ended - began).total_seconds(), 3)
