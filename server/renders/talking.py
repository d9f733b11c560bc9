"""The handlers whose output is a face that speaks: `avatar`, `talking`, `video` and `content` jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from media.avatar.film import Film
from media.avatar.soundtrack import Speech
from media.studio.framing import Framing, Portrait
from media.studio.stills import still
from media.studio.talking import render_talking
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
    models = RenderModels.of(context)
    context.phase("fetching")
    portrait = await portrait_of(models, await picture_at(context, order.image, "image"), "image")
    if order.audio is not None:
        speech = Speech(await sound_at(context, order.audio, "audio", longest=models.longest_s))
    elif order.text is not None:
        speech = await spoken(context, models, order.text, order.voice)
    else:
        raise JobFailed("audio or text is needed", "OPTION_INVALID")
    with explained("resolution"):
        framing = Framing.of_resolution(order.resolution)
    made, files = await filmed(context, models, _shot(context, portrait, speech, framing))
    voice = {} if order.audio is not None else {"voice": order.voice}
    metadata = video_metadata(
        model=order.model, engine=PUPPET, seconds=made.seconds, resolution=order.resolution, **voice
    )
    return JobResult(files, metadata)


async def talking(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """F5: a picture speaks a recording."""
    order = read(TalkingOrder, payload)
    models = RenderModels.of(context)
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
    models = RenderModels.of(context)
    portrait = await avatar_portrait(models, order.avatar_id)
    script, author = order.script, None
    if script is None:
        written = await _written(context, models, order)
        script, author = str(written["script"]), written["model"]
    longest = order.seconds
    speed = 1.0 if longest is None else speed_to_fit(script, order.language, longest, fastest=FASTEST_TO_FIT)
    speech = await spoken(context, models, script, order.voice, speed=speed)
    seconds = speech.seconds() or 0.0
    if longest is not None and seconds > longest + _SPARE and speed < FASTEST_TO_FIT:
        speed = min(FASTEST_TO_FIT, speed * seconds / longest)
        speech = await spoken(context, models, script, order.voice, speed=speed)
        seconds = speech.seconds() or 0.0
    if longest is not None and seconds > longest + _SPARE:
        raise JobFailed(
            f"script: takes {seconds:.0f} s to say, longer than the {longest:.0f} s of duration", "TOO_LONG"
        )
    made, files = await filmed(
        context, models, _shot(context, portrait, speech, Framing.of_resolution(VIDEO_RESOLUTION))
    )
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
    context.phase("storing")
    poster = context.work_dir / "poster.webp"
    poster.write_bytes(await asyncio.to_thread(still, shot.portrait, framing=_poster(shot.framing)))
    return made, (store(context, shot.key, out, VIDEO), store(context, shot.poster_key, poster, PICTURE))


def _shot(context: JobContext, portrait: Portrait, speech: Speech, framing: Framing) -> Shot:
    video_key = output_key(context.job_id, "video", VIDEO)
    return Shot(portrait, speech, framing, video_key, output_key(context.job_id, "poster", PICTURE))


def _poster(framing: Framing) -> Framing:
    size = min(framing.size, _POSTER_SIDE)
    return Framing(size, aspect=framing.aspect, crop=framing.crop, expand_ratio=framing.expand_ratio)


_USUAL: Final = 30.0
"""Seconds of a video whose duration was left out."""
