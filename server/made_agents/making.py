"""From a picture, a video, a recording and a prompt to an agent: the steps, without bookkeeping."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from agents.definition import AgentDefinition
from media.audio.frames import SPEECH_RATE, Samples
from media.audio.wav import write_wav
from media.avatar.assets import DEMO_PORTRAIT
from media.avatar.errors import PortraitRefused
from media.avatar.pack import AvatarPack
from media.decoding import MediaError, MediaProblem, Picture, decode_audio, decode_image, video_frames
from media.models import ModelError
from media.speech.speaker import SpeakerEncoder, TooLittleSpeech, nearest_voice, voice_embeddings
from server.avatars.studio import AvatarStudio, StudioBusy
from server.fetching import Fetcher, FetchError
from server.made_agents.naming import DEFAULT_PROMPT, NAME_LENGTH, Namer, persona_of
from server.made_agents.sources import KINDS, MOST_BYTES, Kind

T = TypeVar("T")

LONGEST_SIDE: Final = 2048
FRAMES: Final = 32
"""Of a video, from which the best is chosen."""
FRAME_SIDE: Final = 1280
LONGEST_SPEECH: Final = 600.0
"""Seconds of a recording that is given as the voice's reference."""
KEPT_SPEECH: Final = 30.0
"""Seconds of it that are kept."""
FETCH_SECONDS: Final = 60.0
REFERENCE: Final = "voice.wav"
FETCHED: Final = "fetched"


class NotMade(Exception):
    """The agent cannot be made of this; the text says why and what would help, for whoever asked for it."""


class TryAgain(Exception):
    """Another attempt may succeed; the text is for whoever asked, if none does."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What came of the sources: a face, the picture it was made of, how the agent is called and what it says and is.

    `source_hash`: SHA-256 of the file that the face comes from. `voice`: a packaged one's name, None for the server's.
    """

    pack: AvatarPack
    picture: Picture
    source_hash: str
    name: str
    definition: dict[str, Any]
    voice: str | None


class Maker:
    """Makes agents out of sources. `voices` are the names that a voice may be chosen of; `namer` names agents."""

    def __init__(
        self,
        studio: AvatarStudio,
        fetcher: Fetcher,
        voices: Callable[[], Collection[str]],
        namer: Callable[[], Namer | None] = lambda: None,
    ) -> None:
        self._studio = studio
        self._fetcher = fetcher
        self._voices = voices
        self._namer = namer
        self._encoder: SpeakerEncoder | None = None

    async def make(self, prompt: str, urls: Mapping[Kind, str], folder: Path) -> Made:
        """Make one. `folder` holds the files that were sent, under their kinds; the voice's reference is left there.

        Raises `NotMade` or `TryAgain`; anything else is a fault of ours.
        """
        files = await self._files(urls, folder)
        try:
            async with asyncio.TaskGroup() as group:
                face = group.create_task(_of("image" if "image" in files else "video", self._face(files)))
                voice = group.create_task(self._voice(files, folder))
                named = group.create_task(self._named(prompt))
        except ExceptionGroup as failed:
            raise _first(failed) from failed
        name, definition = named.result()
        picture, pack, digest = face.result()
        return Made(pack, picture, digest, name, definition, voice.result())

    async def _files(self, urls: Mapping[Kind, str], folder: Path) -> dict[Kind, Path]:
        """Where each file lies, those of URLs fetched."""
        found: dict[Kind, Path] = {kind: folder / kind for kind in KINDS if (folder / kind).is_file()}
        for kind, url in urls.items():
            target = folder / FETCHED / kind
            target.parent.mkdir(parents=True, exist_ok=True)
            accepted = ("audio", "video") if kind == "audio" else (kind,)
            await _of(
                kind,
                self._fetcher.fetch(
                    url, max_bytes=MOST_BYTES[kind], max_seconds=FETCH_SECONDS, kinds=accepted, target=target
                ),
            )
            found[kind] = target
        return found

    async def _face(self, files: dict[Kind, Path]) -> tuple[Picture, AvatarPack, str]:
        """The picture, or the best frame of the video, or the packaged portrait; its pack; the file's SHA-256."""
        source = files.get("image") or files.get("video") or DEMO_PORTRAIT
        if "video" in files and "image" not in files:
            frames = await video_frames(source, count=FRAMES, max_side=FRAME_SIDE)
            picture = await self._studio.best_frame(frames)
        else:
            picture = await decode_image(source, max_side=LONGEST_SIDE)
        pack = await self._studio.enrol(picture, "avatar")
        return picture, pack, await self._studio.look(lambda: _digest(source), within=FETCH_SECONDS)

    async def _voice(self, files: dict[Kind, Path], folder: Path) -> str | None:
        """The packaged voice nearest to the recording, or to the video's sound where there is none."""
        if "audio" in files:
            return await _of("audio", self._nearest(files["audio"], folder))
        if "video" in files:
            try:
                return await self._nearest(files["video"], folder)
            except (MediaError, TooLittleSpeech):  # nobody asked for a voice, and this film has none
                return None
        return None

    async def _nearest(self, file: Path, folder: Path) -> str | None:
        samples = await decode_audio(file, rate=SPEECH_RATE, max_seconds=LONGEST_SPEECH)
        return await self._studio.look(lambda: self._compared(samples, folder / REFERENCE), within=FETCH_SECONDS)

    def _compared(self, samples: Samples, reference: Path) -> str | None:
        if self._encoder is None:
            self._encoder = SpeakerEncoder()
        embedding = self._encoder.embed(np.asarray(samples, np.float32))
        write_wav(reference, samples[: int(KEPT_SPEECH * SPEECH_RATE)], SPEECH_RATE)
        candidates = voice_embeddings(self._voices())
        return nearest_voice(embedding, candidates).name if candidates else None

    async def _named(self, prompt: str) -> tuple[str, dict[str, Any]]:
        """What the agent is called, and the fields of its definition."""
        prompt = prompt or DEFAULT_PROMPT
        namer = self._namer()
        persona = persona_of(prompt) if namer is None else await namer(prompt)
        fields = {"system_prompt": prompt, "greeting": persona.greeting}
        AgentDefinition.model_validate({"name": persona.name, **fields})
        return persona.name[:NAME_LENGTH], fields


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first(failed: ExceptionGroup[Exception]) -> Exception:
    """Of several things that went wrong side by side, the one that says most to whoever asked."""
    for kind in (NotMade, TryAgain, Exception):
        for error in failed.exceptions:
            if isinstance(error, kind):
                return error
    return failed


async def _of(kind: str, work: Awaitable[T]) -> T:
    """What the work returns; what is wrong with the file is said with the field that it came in."""
    try:
        return await work
    except StudioBusy as error:
        raise TryAgain(str(error)) from error
    except (PortraitRefused, TooLittleSpeech) as error:
        raise NotMade(f"{kind}: {error}") from error
    except MediaError as error:
        if error.retryable:
            raise TryAgain(f"{kind}: {error.message}") from error
        hint = " The recording has to hold speech." if error.code is MediaProblem.NO_AUDIO else ""
        raise NotMade(f"{kind}: {error.message}{hint}") from error
    except FetchError as error:
        if error.retryable:
            raise TryAgain(f"{kind}: {error.message}") from error
        raise NotMade(f"{kind}: {error.message}") from error
    except ModelError as error:
        raise TryAgain(f"{kind}: the server lacks a model that this needs; its operator can fetch it") from error
