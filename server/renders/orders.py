"""What a render is ordered with: the payloads of its jobs, written by the families' endpoints and read by workers.

A worker may be of another version than who ordered: fields that are missing have defaults, unknown ones are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Resolution = Literal["480p", "720p", "1080p"]


class Order(BaseModel):
    """Base of all orders."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def payload(self) -> dict[str, Any]:
        """As the job keeps it."""
        return self.model_dump(mode="json")


class VoiceOrder(Order):
    """A text to be spoken. `voice` names the voice that does; `model` is what was asked for, as it was named there."""

    text: str
    voice: str
    language: str
    speed: float = 1.0
    model: str = "kokoro"


class AvatarOrder(Order):
    """A portrait that speaks: `audio` (a URL), or else `text` in `voice`. `image` is a URL."""

    image: str
    resolution: Resolution
    model: str
    audio: str | None = None
    text: str | None = None
    voice: str = ""
    language: str = "en"


class TalkingOrder(Order):
    """F5's talking video. The names are those of its request."""

    image_url: str
    audio_url: str
    project_id: str
    language: str = "en"
    output_size: int = 400
    crop: bool = True
    dynamic_scale: float = 1.0
    expand_ratio: float = 0.5
    iteration_count: int = 10
    version: int = 6


class VideoOrder(Order):
    """F1's video: an avatar speaks a script, or one that is to be written from `prompt`, in at most `seconds`."""

    avatar_id: str
    voice: str
    language: str
    script: str | None = None
    prompt: str | None = None
    seconds: float | None = Field(default=None, gt=0)


O = TypeVar("O", bound=Order)  # noqa: E741


def read(kind: type[O], payload: Mapping[str, Any]) -> O:
    """The order of a job's payload. Raises `pydantic.ValidationError` for one that no version of us wrote."""
    return kind.model_validate(dict(payload))
