"""The endpoints of webhooks: F1's registered URLs, and the log of what was sent to whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from server.fetching import FetchError, UrlPolicy, check_url
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Conflict, Invalid, NotFound
from server.gate.families import Family
from server.gate.models import AnswerModel, Identifier, QueryModel, RequestModel, SnakeAnswer, Url
from server.gate.registry import Endpoint
from server.jobs.shapes import timestamp
from server.webhooks import deliveries
from server.webhooks.bodies import F1_EVENTS
from server.webhooks.deliveries import Deliveries, DeliveryView, NotRedeliverable
from server.webhooks.endpoints import Endpoint as Registered
from server.webhooks.endpoints import TooManyEndpoints, endpoints, register, unregister

Event = Literal["video.completed", "video.failed"]


class WebhookRequest(RequestModel):
    """A URL that is to hear of videos; without `events`, of all."""

    url: Url
    events: Annotated[list[Event], Field(min_length=1, max_length=10)] = Field(default_factory=lambda: list(F1_EVENTS))  # type: ignore[arg-type]


class Webhook(SnakeAnswer):
    """A registered URL. It is `disabled` when its receiver said that it is gone (410)."""

    id: str
    url: str
    events: list[str]
    disabled: bool
    created_at: str


class NewWebhook(Webhook):
    """The same with the secret that signs what is sent (Standard Webhooks), shown this once."""

    secret: str


class WebhookList(SnakeAnswer):
    """All of an account's."""

    data: list[Webhook]
    has_more: bool = False


class WebhookDeleted(SnakeAnswer):
    """It is gone."""

    id: str
    deleted: bool = True


class DeliveriesQuery(QueryModel):
    """The newest `limit` deliveries (of a job, of a status), or those after the delivery `startingAfter`."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    starting_after: Annotated[Identifier | None, Field(alias="startingAfter")] = None
    job_id: Annotated[Identifier | None, Field(alias="jobId")] = None
    status: Literal["pending", "delivered", "failed", "dropped"] | None = None


class Delivery(AnswerModel):
    """A message to a URL. `id` is its webhook-id; `log` has every attempt."""

    id: str
    job_id: str
    event: str
    url: str
    status: Literal["pending", "delivered", "failed", "dropped"]
    attempts: int
    last_status: int | None
    log: list[Mapping[str, Any]]
    created_at: str
    next_attempt_at: str | None
    finished_at: str | None


class DeliveryAnswer(AnswerModel):
    """One delivery."""

    data: Delivery


class DeliveriesAnswer(AnswerModel):
    """A page of deliveries, the newest first."""

    data: list[Delivery]
    has_more: bool


class WebhookDesk:
    """The endpoints. `policy`: which URLs may be registered."""

    def __init__(self, sent: Deliveries, policy: UrlPolicy) -> None:
        self._sent = sent
        self._policy = policy

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        f1: dict[str, Any] = {"family": Family.F1}
        f2: dict[str, Any] = {"family": Family.F2}
        one = "/api/webhooks/deliveries/{id}/redeliver"
        return [
            Endpoint(
                **f1,
                method="POST",
                path="/v1/webhooks",
                summary="Register a webhook",
                handler=self.register,
                body=WebhookRequest,
                answers={201: NewWebhook},
                limit="write",
                errors=frozenset({409}),
            ),
            Endpoint(
                **f1,
                method="GET",
                path="/v1/webhooks",
                summary="List webhooks",
                handler=self.list,
                answers={200: WebhookList},
                limit="read",
            ),
            Endpoint(
                **f1,
                method="DELETE",
                path="/v1/webhooks/{id}",
                summary="Delete a webhook",
                handler=self.unregister,
                answers={200: WebhookDeleted},
                limit="delete",
            ),
            Endpoint(
                **f2,
                method="GET",
                path="/api/webhooks/deliveries",
                summary="List webhook deliveries",
                handler=self.deliveries,
                query=DeliveriesQuery,
                answers={200: DeliveriesAnswer},
                limit="read",
            ),
            Endpoint(
                **f2,
                method="POST",
                path=one,
                summary="Deliver a webhook again",
                handler=self.redeliver,
                answers={200: DeliveryAnswer},
                limit="write",
                errors=frozenset({409}),
            ),
        ]

    async def register(self, call: ApiCall[WebhookRequest]) -> ApiResult:
        """POST /v1/webhooks."""
        try:
            check_url(call.body.url, self._policy)
        except FetchError as error:
            raise Invalid(error.message, field="url") from error
        try:
            made, secret = await call.database.run(register, call.account.id, call.body.url, call.body.events)
        except TooManyEndpoints as error:
            raise Conflict(f"There are too many: {error}") from error
        return ApiResult(NewWebhook(**_shown(made).model_dump(), secret=secret))

    async def list(self, call: ApiCall[None]) -> ApiResult:
        """GET /v1/webhooks."""
        found = await call.database.read(endpoints, call.account.id)
        return ApiResult(WebhookList(data=[_shown(each) for each in found]))

    async def unregister(self, call: ApiCall[None]) -> ApiResult:
        """DELETE /v1/webhooks/{id}."""
        if not await call.database.run(unregister, call.account.id, call.path["id"]):
            raise NotFound("There is no such webhook")
        return ApiResult(WebhookDeleted(id=call.path["id"]))

    async def deliveries(self, call: ApiCall[None]) -> ApiResult:
        """GET /api/webhooks/deliveries."""
        query: DeliveriesQuery = call.query
        try:
            found, more = await call.database.read(
                deliveries.listing,
                call.account.id,
                limit=query.limit,
                after=query.starting_after,
                job_id=query.job_id,
                status=query.status,
            )
        except LookupError:
            raise Invalid("there is no such delivery", field="startingAfter") from None
        return ApiResult(DeliveriesAnswer(data=[_delivery(each) for each in found], has_more=more))

    async def redeliver(self, call: ApiCall[None]) -> ApiResult:
        """POST /api/webhooks/deliveries/{id}/redeliver."""
        try:
            again = await call.database.run(self._sent.redeliver, call.account.id, call.path["id"])
        except LookupError:
            raise NotFound("There is no such delivery") from None
        except NotRedeliverable as error:
            raise Conflict(f"It cannot be sent again: {error}") from error
        return ApiResult(DeliveryAnswer(data=_delivery(again)))


def _shown(found: Registered) -> Webhook:
    return Webhook(
        id=found.id,
        url=found.url,
        events=list(found.events),
        disabled=found.disabled is not None,
        created_at=timestamp(found.created),
    )


def _delivery(found: DeliveryView) -> Delivery:
    return Delivery(
        id=found.id,
        job_id=found.job_id,
        event=found.event,
        url=found.url,
        status=found.status.value,
        attempts=found.attempts,
        last_status=found.last_status,
        log=list(found.log),
        created_at=timestamp(found.created),
        next_attempt_at=timestamp(found.next_attempt),
        finished_at=timestamp(found.finished),
    )
