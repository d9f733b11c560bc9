"""What may be asked for below `/api/generate`, and F4's workflow: the contract's tables as models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from server.gate.models import CamelRequest, Identifier, Language, Said, Url, Whole

ImageModel = Literal["grok-imagine", "flux-2-dev", "flux-2-pro", "ideogram-v3", "flux-kontext-max"]
VideoModel = Literal["wan-2.6", "kling-2.6-pro", "kling-3.0-pro", "veo-3.1"]
BrollModel = Literal["wan-2.6", "kling-2.6-pro"]
VoiceModel = Literal["kokoro", "elevenlabs-v3", "fish-audio-s1"]
AvatarModel = Literal["veed-fabric", "creatify-aurora", "kling-avatar-v2", "omnihuman-1.5"]

Prompt = Annotated[Said, Field(max_length=2000)]
Script = Annotated[Said, Field(max_length=5000)]
Words = Annotated[str, Field(max_length=2000)]
Seed = Annotated[Whole, Field(ge=0, le=2**53 - 1)]
Seconds = Annotated[float, Field(ge=1, le=3600)]


class ImageRequest(CamelRequest):
    """An image from a prompt."""

    prompt: Prompt
    width: Annotated[Whole, Field(ge=256, le=2048)] = 1024
    height: Annotated[Whole, Field(ge=256, le=2048)] = 1024
    steps: Annotated[Whole, Field(ge=1, le=50)] = 4
    seed: Seed | None = None
    style: Literal["photorealistic", "illustration", "3d", "flat"] | None = None
    model: ImageModel = "flux-2-dev"
    negative_prompt: Words | None = None


class VideoRequest(CamelRequest):
    """A video from a script, with a face where `avatarImage` is given."""

    script: Script
    avatar_image: Url | None = None
    voice_id: Identifier | None = None
    duration: Annotated[float, Field(ge=3, le=60)] | None = None
    resolution: Literal["720p", "1080p"] = "720p"
    style: Literal["professional", "casual", "energetic"] | None = None
    model: VideoModel = "wan-2.6"


class VoiceRequest(CamelRequest):
    """Speech from a text."""

    text: Annotated[Said, Field(max_length=10_000)]
    voice_id: Identifier | None = None
    speed: Annotated[float, Field(ge=0.5, le=2)] = 1.0
    language: Language = "en"
    model: VoiceModel = "kokoro"


class VoiceCloneRequest(CamelRequest):
    """A voice like that of a recording of 15 to 30 seconds."""

    name: Annotated[Said, Field(max_length=100)]
    sample_audio_url: Url


class AvatarRequest(CamelRequest):
    """A portrait that speaks: `audio`, else `text`; one of them is needed."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["audio"], "properties": {"audio": {"type": "string"}}},
                {"required": ["text"], "properties": {"text": {"type": "string"}}},
            ]
        }
    )

    image: Url
    resolution: Literal["480p", "720p", "1080p"]
    model: AvatarModel
    audio: Url | None = None
    text: Annotated[Said, Field(max_length=5000)] | None = None
    voice_id: Identifier | None = None

    @model_validator(mode="after")
    def _says_something(self) -> AvatarRequest:
        if self.audio is None and self.text is None:
            raise ValueError("audio: is required, or text")
        return self


class ClipRequest(CamelRequest):
    """The best parts of a long video."""

    source_video_url: Url
    max_clips: Annotated[Whole, Field(ge=1, le=20)] = 5
    min_duration: Seconds | None = None
    max_duration: Seconds | None = None
    add_captions: bool = False
    aspect_ratio: Literal["9:16", "1:1", "16:9"] = "9:16"
    viral_score_threshold: Annotated[float, Field(ge=1, le=10)] | None = None

    @model_validator(mode="after")
    def _durations_agree(self) -> ClipRequest:
        if self.min_duration is not None and self.max_duration is not None and self.min_duration > self.max_duration:
            raise ValueError("minDuration: must not be more than maxDuration")
        return self


class BrollRequest(CamelRequest):
    """Footage from the description of a scene."""

    prompt: Prompt
    duration: Annotated[float, Field(ge=3, le=6)] = 5.0
    resolution: Literal["480p", "720p"] = "720p"
    model: BrollModel = "wan-2.6"


class TextToVideoRequest(CamelRequest):
    """A video from a script alone."""

    script: Script
    duration: Annotated[float, Field(ge=3, le=60)] | None = None
    resolution: Literal["720p", "1080p"] = "720p"
    style: Literal["cinematic", "documentary", "animation", "aerial"] | None = None
    model: VideoModel = "wan-2.6"


def _one_of(*allowed: int) -> AfterValidator:
    def check(value: int) -> int:
        if value not in allowed:
            raise ValueError(f"must be {', '.join(str(number) for number in allowed[:-1])} or {allowed[-1]}")
        return value

    return AfterValidator(check)


class CommercialRequest(CamelRequest):
    """A commercial: script, speech, pictures, composed."""

    product: Prompt
    platform: Literal["tiktok", "youtube", "instagram", "tv"]
    duration: Annotated[Whole, _one_of(15, 30, 60), Field(json_schema_extra={"enum": [15, 30, 60]})]
    tone: Literal["professional", "energetic", "casual", "luxury", "funny"]
    target_audience: Words | None = None
    spokesperson_image: Url | None = None
    product_images: Annotated[list[Url], Field(max_length=20)] = Field(default_factory=list)
    voice_id: Identifier | None = None
    voice_model: VoiceModel = "kokoro"
    music_mood: Annotated[str, Field(max_length=200)] | None = None
    video_model: VideoModel = "wan-2.6"


class TranslateRequest(CamelRequest):
    """A video in another language, its lips in step."""

    video_url: Url
    output_language: Language
    preserve_original_voice: bool = False


class InstantAdRequest(CamelRequest):
    """Ads from a website."""

    website_url: Url
    platform: Literal["tiktok", "youtube", "instagram", "facebook", "linkedin"]
    count: Annotated[Whole, Field(ge=1, le=4)]
    style: Literal["modern", "bold", "minimal", "luxury", "playful"]
    output_format: Literal["image", "video", "both"] = "image"
    brand_profile_id: Identifier | None = None


class PhotoshootRequest(CamelRequest):
    """Photos of a product before other backgrounds."""

    product_image: Url
    background: Literal["studio-white", "lifestyle", "outdoor", "flat-lay", "custom"]
    angle: Literal["front", "hero", "45-degree", "top-down", "lifestyle"]
    lighting: Literal["studio", "natural", "dramatic", "soft", "golden-hour"]
    count: Annotated[Whole, Field(ge=1, le=4)]
    custom_background: Words | None = None
    model: ImageModel = "flux-2-dev"


Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]


class ListingVideoRequest(CamelRequest):
    """F4: a video of a listing, from its images and its description."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["displayLogo"], "properties": {"displayLogo": {"const": True}}},
            "then": {"required": ["logoUrl"], "properties": {"logoUrl": {"type": "string"}}},
        }
    )

    image_urls: Annotated[list[Url], Field(min_length=1, max_length=50, alias="image_urls")]
    description: Annotated[Said, Field(min_length=10, max_length=10_000)]
    format: Literal["landscape", "portrait", "square"] = "landscape"
    colors: Annotated[list[Colour], Field(min_length=2, max_length=2)] | None = None
    font: Annotated[str, Field(max_length=100)] | None = None
    music: Annotated[str, Field(max_length=200)] | None = None
    display_logo: bool = False
    logo_url: Url | None = None
    webhook_url: Url | None = None

    @model_validator(mode="after")
    def _logo_is_there(self) -> ListingVideoRequest:
        if self.display_logo and self.logo_url is None:
            raise ValueError("logoUrl: is required where displayLogo is true")
        return self
