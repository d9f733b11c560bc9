"""POST /api/generate/… and F4's workflow: checked, admitted and priced here, done by the engine that is configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from server.fetching import FetchError, UrlPolicy, check_url
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Invalid, NotFound
from server.gate.families import Family
from server.gate.models import AnswerModel, RequestModel, urls_of
from server.gate.registry import Endpoint
from server.platform import requests
from server.platform.engines import Engines, Generation
from server.settings.platform import PriceSettings


class QueuedJob(AnswerModel):
    """A job that waits for its turn. `estimated_minutes`: of voice only."""

    job_id: str
    status: Literal["queued"] = "queued"
    message: str


class Queued(AnswerModel):
    """The answer to a request that makes a job."""

    data: QueuedJob


class QueuedVoiceJob(QueuedJob):
    """A voice job that waits."""

    estimated_minutes: int


class QueuedVoice(AnswerModel):
    """The answer to a request for speech."""

    data: QueuedVoiceJob


class ClonedVoice(AnswerModel):
    """A new voice."""

    voice_id: str
    message: str


class VoiceCloned(ClonedVoice):
    """The answer to a request for a voice: both shapes of the contract."""

    data: ClonedVoice


class Sequence(AnswerModel):
    """A clip of a listing video."""

    id: str
    url: str | None
    effect: str
    format: str
    category: str
    text: str
    status: str


class ListingStarted(AnswerModel):
    """F4's answer to a start."""

    id: str
    status: str
    generated_content: list[Sequence]
    analysis: dict[str, Any]
    credits_total: int
    credits_used: int


class ListingStatus(AnswerModel):
    """F4's answer to a poll."""

    id: str
    status: Literal["PENDING", "GENERATING_VIDEO", "START_RENDERING_VIDEO", "RENDERING_VIDEO", "DONE", "ERROR"]
    progress: int | None = None
    url: str | None = None
    generated_content: list[Sequence] = Field(default_factory=list)
    credits_total: int | None = None
    credits_used: int | None = None


Price = Callable[[PriceSettings, Any], int]


def _listed(item: str) -> Price:
    return lambda prices, _body: prices.of(item)


def _instant_ad(prices: PriceSettings, body: requests.InstantAdRequest) -> int:
    return prices.instant_ad + prices.instant_ad_more * (body.count - 1)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work. Its model is named by the field `model` of the request, else it is the kind's own name."""

    name: str
    summary: str
    body: type[RequestModel]
    item: str
    price: Price
    price_text: Callable[[PriceSettings], str]
    answer: type[BaseModel] = Queued
    status: int = 202
    least: str | None = None
    example: Mapping[str, Any] | None = None


def _kind(name: str, summary: str, body: type[RequestModel], **options: Any) -> Kind:
    item = name.replace("-", "_")
    options.setdefault("price", _listed(item))
    options.setdefault("price_text", lambda prices: f"{prices.of(item)} credits")
    return Kind(name, summary, body, item, **options)


KINDS: Final = (
    _kind(
        "image",
        "Generate an image",
        requests.ImageRequest,
        example={"prompt": "A futuristic city skyline at sunset, photorealistic", "width": 1024, "height": 1024},
    ),
    _kind("video", "Generate a video from a script", requests.VideoRequest),
    _kind(
        "voice",
        "Generate speech",
        requests.VoiceRequest,
        answer=QueuedVoice,
        example={"text": "Welcome. How may I help you today?", "language": "en"},
    ),
    _kind("voice-clone", "Clone a voice", requests.VoiceCloneRequest, answer=VoiceCloned, status=200, least="creator"),
    _kind(
        "avatar",
        "Generate a talking head",
        requests.AvatarRequest,
        example={
            "image": "https://example.com/portrait.jpg",
            "resolution": "720p",
            "model": "veed-fabric",
            "text": "Good morning.",
        },
    ),
    _kind("clip", "Cut a long video into clips", requests.ClipRequest),
    _kind("b-roll", "Generate footage", requests.BrollRequest),
    _kind("text2video", "Generate a video from text alone", requests.TextToVideoRequest),
    _kind("commercial", "Generate a commercial", requests.CommercialRequest),
    _kind("translate", "Translate a video", requests.TranslateRequest),
    _kind(
        "instant-ad",
        "Make ads from a website",
        requests.InstantAdRequest,
        price=_instant_ad,
        price_text=lambda prices: (
            f"{prices.instant_ad} credits, and {prices.instant_ad_more} for each further variation"
        ),
    ),
    _kind("photoshoot", "Photograph a product", requests.PhotoshootRequest),
)
LISTING: Final = Kind(
    "listing-video",
    "Start a listing video",
    requests.ListingVideoRequest,
    "listing_video",
    _listed("listing_video"),
    lambda prices: f"{prices.listing_video} credits",
    answer=ListingStarted,
    status=201,
)
LISTING_PATH: Final = "/api/video-editor/generate/video/auto"


class GenerationDesk:
    """Admits and prices what is asked for. `policy`: which URLs may be given."""

    def __init__(self, prices: PriceSettings, engines: Engines, policy: UrlPolicy) -> None:
        self._prices = prices
        self._engines = engines
        self._policy = policy

    def endpoints(self) -> list[Endpoint]:
        """POST of every kind, F4's poll."""
        made = [self._endpoint(kind, Family.F2, f"/api/generate/{kind.name}") for kind in KINDS]
        poll = Endpoint(
            family=Family.F4,
            method="GET",
            path=LISTING_PATH + "/{id}",
            summary="Poll a listing video",
            handler=self.poll,
            answers={200: ListingStatus},
            limit="read",
        )
        return [*made, self._endpoint(LISTING, Family.F4, LISTING_PATH), poll]

    async def generate(self, kind: Kind, call: ApiCall[Any]) -> ApiResult:
        """Answer a request of a kind. Raises `Invalid` for URLs that must not be, `Forbidden` without an engine."""
        for field, url in urls_of(call.body):
            try:
                check_url(url, self._policy)
            except FetchError as error:
                raise Invalid(error.message, field=field) from None
        model: str = getattr(call.body, "model", kind.name)
        engine, serve = self._engines.find(call.account, kind.name, model)
        price = kind.price(self._prices, call.body)
        return await serve(call, Generation(kind.name, model, engine, kind.item, price))

    async def poll(self, call: ApiCall[None]) -> ApiResult:
        """How far a listing video is."""
        raise NotFound("There is no generation of this id")

    def _endpoint(self, kind: Kind, family: Family, path: str) -> Endpoint:
        return Endpoint(
            family=family,
            method="POST",
            path=path,
            summary=kind.summary,
            description=(kind.body.__doc__ or "").strip(),
            handler=partial(self.generate, kind),
            body=kind.body,
            answers={kind.status: kind.answer},
            limit="generate",
            paid=True,
            price=kind.price_text(self._prices),
            least=kind.least,
            example=kind.example,
        )
