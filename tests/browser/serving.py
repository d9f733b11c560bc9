"""The whole application on a real socket, with agents that say what the test tells them to."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.link import AudioLink
from server.browser.agents import AgentCard, Poster
from server.browser.options import BrowserOptions
from server.browser.routes import BrowserEndpoints
from server.browser.video import SpeechTimeline, VideoSource
from server.database import Database
from server.errors import error_response
from server.settings import Settings
from server.web.routes import web_routes
from tests.server.browser.fakes import FakeFactory, FakeSession
from tests.server.running import QuietEngine, running

CARDS: Final = [
    AgentCard("demo", "Lucia", "en", "Trattoria Lucia, good day! How can I help you?"),
    AgentCard("sales", "مريم", "ar", "أهلاً وسهلاً! كيف يمكنني مساعدتك؟"),
]
SIDE: Final = 128


@dataclass
class Agents:
    """Implements `Catalogue` and `Posters`."""

    cards: list[AgentCard] = field(default_factory=lambda: list(CARDS))

    def agent_cards(self) -> list[AgentCard]:
        return self.cards

    def poster_tag(self, agent_id: str) -> str | None:
        return "1" if agent_id == "demo" else None

    async def poster(self, agent_id: str) -> Poster | None:
        return Poster(picture(), "image/png", "1") if agent_id == "demo" else None


class Face:
    """A video: blue, with a white bar that moves; none while `stall` is set."""

    def __init__(self, stall: threading.Event) -> None:
        self._stall = stall

    async def frame_at(self, time: float) -> av.VideoFrame | None:
        if self._stall.is_set():
            return None
        image = np.zeros((SIDE, SIDE, 3), np.uint8)
        image[:, :, 2] = 200
        left = int(time * 50) % (SIDE - 16)
        image[:, left : left + 16] = 255
        return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")

    async def close(self) -> None:
        """Nothing is held."""


class Conversations(FakeFactory):
    """Keeps the loop its sessions live on, for the test is on another."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.known = {card.id for card in CARDS} | {"made"}

    def has_agent(self, agent_id: str) -> bool:
        return agent_id in self.known

    def open_session(self, agent_id: str, link: AudioLink, *, call_id: str, peer: str, channel: str) -> FakeSession:
        self.loop = asyncio.get_running_loop()
        return super().open_session(agent_id, link, call_id=call_id, peer=peer, channel=channel)


@dataclass
class PageServer:
    """Where the page is, and who answers."""

    url: str
    conversations: Conversations
    agents: Agents
    avatars: Avatars
    stall: threading.Event = field(default_factory=threading.Event)

    async def session(self, number: int = 0) -> FakeSession:
        """The session that the page has begun."""
        await eventually(
            lambda: len(self.conversations.made) > number and self.conversations.made[number].running.is_set()
        )
        return self.conversations.made[number]

    def tell(self, event: str, number: int = 0, **data: object) -> None:
        """Let the server tell the page something."""
        self.call(self.conversations.made[number].link.notify, event, data)

    def call(self, function: Callable[..., object], *given: object) -> None:
        """Do something where the sessions live."""
        assert self.conversations.loop is not None
        self.conversations.loop.call_soon_threadsafe(function, *given)


class Avatars:
    """Answers as the avatar routes do; the name that is given decides how."""

    REFUSALS: Final = {
        "nobody": (422, "NO_FACE", "There is no face in the picture"),
        "crowd": (422, "SEVERAL_FACES", "There are 3 faces in the picture"),
        "busy": (503, "SERVICE_UNAVAILABLE", "The machine is busy"),
        "odd": (422, "LANDMARKS", "The landmarks do not agree"),
    }

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.discarded: list[str] = []
        self.own: list[dict[str, str]] = []

    def routes(self) -> list[Route]:
        return [
            Route("/api/page/avatars", self.make, methods=["POST"]),
            Route("/api/page/avatars", self.kept, methods=["GET"]),
            Route("/api/page/avatars/{avatar}", self.discard, methods=["DELETE"]),
            Route("/api/page/avatars/{avatar}/preview", self.preview, methods=["GET"]),
            Route("/api/page/avatars/{avatar}/poster", self.poster, methods=["GET"]),
        ]

    async def make(self, request: Request) -> Response:
        name = request.query_params["name"]
        body = await request.body()
        self.asked.append((name, request.headers.get("x-visavis-consent", ""), len(body)))
        if name in self.REFUSALS:
            status, code, text = self.REFUSALS[name]
            return error_response(status, text, code=code)
        path = "/api/page/avatars/avatar_1"
        warnings = ["The face is lit from one side"] if name == "half" else []
        data = {"id": "avatar_1", "agentId": "made", "name": name, "warnings": warnings}
        return JSONResponse({"data": {**data, "poster": f"{path}/poster", "preview": f"{path}/preview"}}, 201)

    async def kept(self, _request: Request) -> Response:
        return JSONResponse({"data": self.own})

    async def discard(self, request: Request) -> Response:
        self.discarded.append(request.path_params["avatar"])
        return Response(status_code=204)

    async def preview(self, _request: Request) -> Response:
        return Response(film(), media_type="video/mp4")

    async def poster(self, _request: Request) -> Response:
        return Response(picture(), media_type="image/png")


@contextmanager
def serving_page(tmp_path: Path, *, faces: bool = False, **options: Any) -> Iterator[PageServer]:
    """The page on a free port, until the block ends. `faces`: with video."""
    settings = Settings(data_dir=tmp_path / "data")
    database = Database(settings.database_url, threads=2)
    database.migrate()
    conversations, agents, avatars, stall = Conversations(), Agents(), Avatars(), threading.Event()

    async def authenticate(_key: str) -> str | None:
        return None

    def face(_agent_id: str, _timeline: SpeechTimeline) -> VideoSource | None:
        return Face(stall)

    endpoints = BrowserEndpoints(
        conversations,
        BrowserOptions(**{"public_url": "http://127.0.0.1", "max_sessions": 4, **options}),
        authenticate,
        faces=face if faces else None,
        catalogue=agents,
        posters=agents,
    )
    routes = [*avatars.routes(), *endpoints.routes(), *web_routes(endpoints.page)]
    try:
        with running(settings, database, engine=QuietEngine(), routes=routes, before_close=endpoints.close) as server:
            yield PageServer(server.url, conversations, agents, avatars, stall)
    finally:
        database.close()


async def eventually(condition: Callable[[], object], within: float = 20.0) -> None:
    """Wait until something is true; what changes it is on another thread."""
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        await asyncio.sleep(0.02)


def picture() -> bytes:
    """A small PNG."""
    image = np.full((SIDE, SIDE, 3), (200, 160, 120), np.uint8)
    return encode([image], "png", "image2pipe", "rgb24")


def film() -> bytes:
    """A second of video."""
    frames = [np.full((SIDE, SIDE, 3), (shade, 120, 120), np.uint8) for shade in range(0, 250, 10)]
    return encode(frames, "libx264", "mp4", "yuv420p")


def encode(images: list[Any], codec: str, container: str, pixels: str) -> bytes:
    """Pictures as a file."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, pixels
        for image in images:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)))
        output.mux(stream.encode())
    return file.getvalue()
