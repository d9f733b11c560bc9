"""The handlers whose output is a face that speaks: `avatar`, `talking`, `video` and `content` jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from media.avatar.film import Film, join
from media.avatar.soundtrack import GrowingTrack, Speech
from media.speech.protocols import SpeechChunk
from media.studio.control import Control
from media.studio.framing import Framing, Portrait
from media.studio.stills import still
from media.studio.talking import render_pictures, render_talking
from server.jobs.handlers import JobContext, JobFailed, JobResult, StoredFile
from server.renders.faces import avatar_portrait, portrait_of
from server.renders.ingredients import control, explained, picture_at, sound_at, store
from server.renders.models import RenderModels
from server.renders.orders import AvatarOrder, TalkingOrder, VideoOrder, read
from server.renders.outputs import PICTURE, VIDEO, output_key, talking_key, video_metadata
from server.renders.speaking_time import FASTEST_TO_FIT, speed_to_fit
from server.renders.voice import speak

PUPPET: Final = "puppet"
"""What draws, as the metadata name it."""
VIDEO_RESOLUTION: Final = "720p"
_SPARE: Final = 1.0
"""Seconds that a video may be longer than was asked for."""
_POSTER_SIDE: Final = 480


@dataclass(frozen=True, slots=True)
class Shot:
    """One film to be made, and where it goes."""

    portrait: Portrait
    speech: Speech
    framing: Framing
    key: str
    poster_key: str
    dynamic_scale: float = 1.0


async def avatar(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """A photo speaks a text or a recording."""
    order = read(AvatarOrder, payload)
    models = RenderModels.of(context.services)
    context.phase("fetching")
    portrait = await portrait_of(models, await picture_at(context, order.image, "image"), "image")
    with explained("resolution"):
        framing = Framing.of_resolution(order.resolution)
    if order.audio is not None:
        speech = Speech(await sound_at(context, order.audio, "audio", longest=models.longest_s))
        made, files = await filmed(context, models, _shot(context, portrait, speech, framing))
    elif order.text is not None:
        made, files = await filmed_as_spoken(context, models, portrait, framing, text=order.text, voice=order.voice)
    else:
        raise JobFailed("audio or text is needed", "OPTION_INVALID")
    voice = {} if order.audio is not None else {"voice": order.voice}
    metadata = video_metadata(
        model=order.model, engine=PUPPET, seconds=made.seconds, resolution=order.resolution, **voice
    )
    return JobResult(files, metadata)


async def talking(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """F5: a picture speaks a recording."""
    order = read(TalkingOrder, payload)
    models = RenderModels.of(context.services)
    context.phase("fetching")
    portrait = await portrait_of(models, await picture_at(context, order.image_url, "image_url"), "image_url")
    speech = Speech(await sound_at(context, order.audio_url, "audio_url", longest=models.longest_s))
    with explained("output_size"):
        framing = Framing(order.output_size, crop=order.crop, expand_ratio=order.expand_ratio)
    shot = Shot(
        portrait,
        speech,
        framing,
        talking_key(order.project_id, context.job_id),
        talking_key(order.project_id, context.job_id, PICTURE),
        order.dynamic_scale,
    )
    made, files = await filmed(context, models, shot)
    size = f"{order.output_size}p"
    metadata = video_metadata(model="ai_talking_video", engine=PUPPET, seconds=made.seconds, resolution=size)
    return JobResult(files, {**metadata, "projectId": order.project_id, "version": order.version})


async def video(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """F1: an avatar speaks a script, or one that is written first."""
    order = read(VideoOrder, payload)
    models = RenderModels.of(context.services)
    portrait = await avatar_portrait(models, order.avatar_id)
    script, author = order.script, None
    if script is None:
        written = await _written(context, models, order)
        script, author = str(written["script"]), written["model"]
    framing = Framing.of_resolution(VIDEO_RESOLUTION)
    if order.seconds is None:
        made, files = await filmed_as_spoken(context, models, portrait, framing, text=script, voice=order.voice)
    else:
        speech = await _spoken_to_fit(context, models, script, order, order.seconds)
        made, files = await filmed(context, models, _shot(context, portrait, speech, framing))
    metadata = video_metadata(
        model=PUPPET, engine=PUPPET, seconds=made.seconds, resolution=VIDEO_RESOLUTION, voice=order.voice,
        language=order.language,
    )  # fmt: skip
    return JobResult(files, metadata if author is None else {**metadata, "script": script, "scriptModel": author})


async def _written(context: JobContext, models: RenderModels, order: VideoOrder) -> Mapping[str, Any]:
    """The script for a prompt, written once whatever happens to this attempt."""
    kept = context.kept("script")
    if isinstance(kept, Mapping):
        return kept
    context.phase("writing")
    async with models.writer() as writer:
        with explained("prompt"):
            made = await writer.write(order.prompt or "", language=order.language, seconds=order.seconds or _USUAL)
    return context.checkpoint("script", lambda: {"script": made.text, "model": made.model})


async def _spoken_to_fit(
    context: JobContext, models: RenderModels, script: str, order: VideoOrder, longest: float
) -> Speech:
    """The script in about so many seconds, faster if need be. Raises `JobFailed` where that is not possible."""
    speed = speed_to_fit(script, order.language, longest, fastest=FASTEST_TO_FIT)
    speech = await spoken(context, models, script, order.voice, speed=speed)
    seconds = speech.seconds() or 0.0
    if seconds > longest + _SPARE and speed < FASTEST_TO_FIT:
        speed = min(FASTEST_TO_FIT, speed * seconds / longest)
        speech = await spoken(context, models, script, order.voice, speed=speed)
        seconds = speech.seconds() or 0.0
    if seconds > longest + _SPARE:
        raise JobFailed(
            f"script: takes {seconds:.0f} s to say, longer than the {longest:.0f} s of duration", "TOO_LONG"
        )
    return speech


async def spoken(context: JobContext, models: RenderModels, text: str, voice: str, *, speed: float = 1.0) -> Speech:
    """A text as what a face speaks, with the voice's own timing of its mouth."""
    made = await speak(context, models, text, voice, speed=speed)
    return Speech(made.path, made.phonemes, made.rate)


async def filmed(context: JobContext, models: RenderModels, shot: Shot) -> tuple[Film, tuple[StoredFile, ...]]:
    """Draw, encode and store a shot and its poster."""
    out = context.work_dir / "video.mp4"
    context.phase("rendering")
    with explained("image"):
        made = await asyncio.to_thread(
            render_talking,
            shot.portrait,
            shot.speech,
            out,
            framing=shot.framing,
            dynamic_scale=shot.dynamic_scale,
            control=control(context, "rendering"),
            network=models.visemes(),
        )
    return made, await _stored(context, shot, out)


async def filmed_as_spoken(
    context: JobContext, models: RenderModels, portrait: Portrait, framing: Framing, *, text: str, voice: str
) -> tuple[Film, tuple[StoredFile, ...]]:
    """`filmed` of a text, drawn while it is spoken: one fills the cores that the other leaves.

    A film's sound must wait for the last word, because its loudness is that of the whole.
    """
    track, out = GrowingTrack(), context.work_dir / "video.mp4"
    pictures = context.work_dir / "pictures.mp4"

    def told(done: float) -> None:
        if track.seconds is not None:
            context.phase("rendering", done)
        context.yield_to_calls()

    control = Control(told, lambda: context.cancelled or track.lost)
    drawing = asyncio.create_task(
        asyncio.to_thread(render_pictures, portrait, track, pictures, framing=framing, control=control)
    )

    def follow(chunk: SpeechChunk) -> None:
        if drawing.done():  # there is nothing to speak for
            drawing.result()
        track.extend(chunk.phonemes, chunk.rate, until=(chunk.start + len(chunk.samples)) / chunk.rate)

    try:
        with explained("image"):
            made = await speak(context, models, text, voice, on_chunk=follow)
            track.finish(made.seconds)
            frames = await asyncio.shield(drawing)
    finally:
        track.lose()
        await asyncio.wait([drawing])
        drawing.exception()  # it is told with what ended the speech
    speech = Speech(made.path, made.phonemes, made.rate)
    await asyncio.to_thread(join, pictures, speech, out)
    shot = _shot(context, portrait, speech, framing)
    return Film(made.seconds, frames), await _stored(context, shot, out)


async def _stored(context: JobContext, shot: Shot, film: Path) -> tuple[StoredFile, ...]:
    """Store a film and its poster."""
    context.phase("storing")
    poster = context.work_dir / "poster.webp"
    poster.write_bytes(await asyncio.to_thread(still, shot.portrait, framing=_poster(shot.framing)))
    return store(context, shot.key, film, VIDEO), store(context, shot.poster_key, poster, PICTURE)


def _shot(context: JobContext, portrait: Portrait, speech: Speech, framing: Framing) -> Shot:
    video_key = output_key(context.job_id, "video", VIDEO)
    return Shot(portrait, speech, framing, video_key, output_key(context.job_id, "poster", PICTURE))


def _poster(framing: Framing) -> Framing:
    size = min(framing.size, _POSTER_SIDE)
    return Framing(size, aspect=framing.aspect, crop=framing.crop, expand_ratio=framing.expand_ratio)


_USUAL: Final = 30.0
"""Seconds of a video whose duration was left out."""
