"""Where outputs lie in storage and what is said of them: names by kind of job, metadata by family."""

from __future__ import annotations

import re
from typing import Any, Final

VIDEO: Final = "video/mp4"
SOUND: Final = "audio/wav"
PICTURE: Final = "image/webp"

_ENDINGS = {VIDEO: "mp4", SOUND: "wav", PICTURE: "webp"}
_SEGMENT = re.compile(r"[A-Za-z0-9_-]{1,64}")


def output_key(job_id: str, name: str, media_type: str) -> str:
    """`outputs/{job}/{name}.{ending}`."""
    return f"outputs/{_segment(job_id)}/{_segment(name)}.{_ENDINGS[media_type]}"


def talking_key(project_id: str, job_id: str, media_type: str = VIDEO) -> str:
    """Where a talking video lies. The file bears its job's id: two accounts' projects of one name never meet."""
    return f"ai-talking-videos/{_segment(project_id)}/outputs/{_segment(job_id)}.{_ENDINGS[media_type]}"


def avatar_key(avatar_id: str, media_type: str) -> str:
    """Where an avatar's preview lies."""
    return f"avatars/{_segment(avatar_id)}/preview.{_ENDINGS[media_type]}"


def voice_metadata(*, model: str, engine: str, seconds: float, language: str) -> dict[str, Any]:
    """Of a voice job: the model as it was asked for, and what really spoke."""
    return {"model": model, "engine": engine, "durationSeconds": round(seconds, 2), "language": language}


def video_metadata(*, model: str, engine: str, seconds: float, resolution: str, **more: Any) -> dict[str, Any]:
    """Of an avatar or video job."""
    return {"model": model, "engine": engine, "durationSeconds": round(seconds, 2), "resolution": resolution, **more}


def _segment(text: str) -> str:
    if not _SEGMENT.fullmatch(text):
        raise ValueError(f"{text!r} cannot be part of a storage key")
    return text
