"""The server of `tests.bench.faces`: everything of a browser session but the models that hear, think and speak.

Sessions, turn-taking, voice activity, media and faces are the real ones; what is said was synthesised before. So what
this process spends is what a session costs beside recognition, language model and voice. GET /cpu says who spent it.
"""

from __future__ import annotations

import asyncio
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.conversation.actions import Phrase
from agents.conversation.policy import TurnPolicy
from agents.dialogue import Dialogue
from agents.link import AudioLink, Conversant
from agents.session.services import Services, TurnRecord
from agents.session.session import Session
from media.avatar.assets import DEMO_PORTRAIT
from media.models import model_dir
from media.speech.activity.silero import SileroModel
from media.speech.protocols import SpeechChunk, Transcript
from server.browser.options import BrowserOptions
from server.browser.routes import BrowserEndpoints
from server.faces.faces import Faces
from server.faces.options import FaceOptions

KEY: Final = "sk_live_" + "b" * 32

Speech = dict[str, list[SpeechChunk]]
"""What each agent says when the call begins, by the agent's id; its text is that id."""


class Replay:
    """Implements `Voice`: says what was synthesised before."""

    name = "replay"

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self.rate = next(iter(speech.values()))[0].rate

    async def synthesise(self, text: str, *, deadline: float, speed: float = 1.0) -> AsyncGenerator[SpeechChunk]:
        silence = SpeechChunk(np.zeros(0, np.float32), self.rate, 0, (), (), final=True)
        for chunk in self._speech.get(text, [silence]):
            yield chunk


class Deaf:
    """Recognises nothing, judges nothing: implements the models that listen."""

    busy = False

    async def transcribe(self, _samples: Any, **_options: Any) -> Transcript:
        return Transcript("", "en", 1.0, -1.0)

    async def probability(self, _what: Any, *, deadline: float) -> float:
        return 0.5


class Silent:
    """Implements `ChatModel` for agents that are never asked anything."""

    async def warm_up(self, *_given: Any, **_options: Any) -> None:
        """Nothing to warm up."""

    async def close(self) -> None:
        """Nothing to close."""


class Factory:
    """Implements `SessionFactory` and, recording nothing, `Recorder`."""

    def __init__(self, speech: Speech) -> None:
        deaf: Any = Deaf()
        activity = SileroModel(model_dir("silero-vad") / "silero_vad.onnx")
        self._services = Services(activity, deaf, deaf, deaf)
        self._voice = Replay(speech)
        self._speech = speech
        self.active_sessions = 0

    def has_agent(self, agent_id: str) -> bool:
        return agent_id == "silent" or agent_id in self._speech

    def open_session(self, agent_id: str, link: AudioLink, *, call_id: str, peer: str, channel: str) -> Conversant:
        self.active_sessions += 1
        model: Any = Silent()
        greeting = {Phrase.GREETING: [agent_id]} if agent_id in self._speech else {}
        return Session(
            self._services,
            Dialogue(model, system_prompt="Be brief."),
            self._voice,
            link,
            policy=TurnPolicy(idle_after=600.0),
            phrases=greeting,
            recorder=self,
            session_id=call_id,
        )

    def turn(self, session_id: str, record: TurnRecord) -> None:
        """Nothing is recorded."""

    def ended(self, session_id: str, reason: str) -> None:
        self.active_sessions -= 1


def processor_seconds() -> dict[str, float]:
    """What each kind of thread has spent: the event loop, drawing, encoding, and the whole process."""
    spent = {"loop": 0.0, "drawing": 0.0, "encoding": 0.0, "process": time.process_time()}
    for thread in threading.enumerate():
        kind = "loop" if thread is threading.main_thread() else _KINDS.get(thread.name.split("-")[0].split("_")[0], "")
        if kind and thread.ident is not None:
            spent[kind] += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return spent


_KINDS: Final = {"puppet": "drawing", "uvloop": "encoding"}
"""Threads by the beginning of their names; the loop's own executor does nothing but encode here."""


async def main(port: int, speech: Speech, codec: str) -> None:
    async def cpu(_request: Request) -> Response:
        return JSONResponse(processor_seconds())

    async def account(key: str) -> str | None:
        return "bench" if key == KEY else None

    with tempfile.TemporaryDirectory() as folder:
        faces = Faces(FaceOptions(Path(folder)))
        await faces.start(dict.fromkeys([*speech, "silent"], DEMO_PORTRAIT))
        options = BrowserOptions(public_url=f"http://127.0.0.1:{port}", max_sessions=16, video_codec=codec)
        endpoints = BrowserEndpoints(Factory(speech), options, account, faces=faces.open)
        app = Starlette(routes=[Route("/cpu", cpu), *endpoints.routes()])
        signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again when it has stopped
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
        try:
            await server.serve()
        finally:
            await endpoints.close()
            await faces.close()


if __name__ == "__main__":
    with Path(sys.argv[2]).open("rb") as file:
        prepared: Speech = pickle.load(file)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), prepared, sys.argv[3]))
