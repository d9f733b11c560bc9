"""Every setting with its type, range and default. configs/default.yaml repeats the defaults for people; a test keeps
the two equal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from agents.conversation.policy import TurnPolicy
from server.settings.phone import TelephonySettings
from server.settings.platform import LimitSettings, ModelSettings, PlansSettings, PriceSettings
from server.settings.section import HttpUrl, Section

BOOTSTRAP_KEY_LENGTH = 32
WHISPER_SIZES = ("tiny", "base", "small")

Network = IPv4Network | IPv6Network
Seconds = Annotated[float, Field(gt=0, le=3600)]


class ServerSettings(Section):
    """The listening socket and what HTTP may cost."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: HttpUrl | None = None
    trusted_proxies: tuple[Network, ...] = ()
    limit_concurrency: int = Field(default=500, ge=1, le=100_000)
    max_body_bytes: int = Field(default=1 << 20, ge=1024, le=1 << 30)
    receive_timeout_s: Seconds = 10.0
    keep_alive_s: int = Field(default=5, ge=1, le=300)
    shutdown_s: float = Field(default=1.8, ge=0.5, le=60)
    api_process: bool = True


class LogSettings(Section):
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class DatabaseSettings(Section):
    """Where records go; no URL: SQLite in the data folder."""

    url: SecretStr | None = None
    threads: int = Field(default=4, ge=1, le=64)

    @field_validator("url")
    @classmethod
    def _supported(cls, value: SecretStr | None) -> SecretStr | None:
        scheme = value.get_secret_value().split(":", 1)[0] if value else "sqlite"
        if scheme not in ("sqlite", "postgresql", "postgresql+psycopg"):
            raise ValueError("must begin with sqlite:///, postgresql:// or postgresql+psycopg://")
        return value


class LlmSettings(Section):
    """The language model: any OpenAI-compatible endpoint, or, without `base_url`, the embedded one."""

    base_url: HttpUrl | None = None
    model: str = ""
    api_key: SecretStr = SecretStr("")
    fallback_model: str = ""
    first_token_s: Seconds = 4.0
    total_s: Seconds = 30.0
    max_tokens: int = Field(default=300, ge=1, le=32_768)
    temperature: float = Field(default=0.6, ge=0, le=2)
    context_tokens: int = Field(default=4096, ge=512, le=1_000_000)
    threads: int = Field(default=1, ge=1, le=256)

    @model_validator(mode="after")
    def _endpoint_needs_a_model(self) -> LlmSettings:
        if self.base_url and not self.model:
            raise ValueError("model must be set where base_url is: the endpoint has to be told which one")
        return self


class AsrSettings(Section):
    """Speech recognition: a packaged Whisper by size, or the folder of any CTranslate2 Whisper."""

    model: str = "base"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: Literal["auto", "int8", "int8_float16", "float16", "float32"] = "auto"
    threads: int = Field(default=1, ge=1, le=256)
    workers: int = Field(default=2, ge=1, le=16)
    language: str = Field(default="en", pattern=r"^(auto|[a-z]{2,3})$")
    partials: bool = True

    @field_validator("model")
    @classmethod
    def _size_or_folder(cls, value: str) -> str:
        if value not in WHISPER_SIZES and not (Path(value).expanduser() / "model.bin").is_file():
            sizes = ", ".join(WHISPER_SIZES)
            raise ValueError(f"must be {sizes}, or the folder of a CTranslate2 Whisper (with a model.bin)")
        return value


class TtsSettings(Section):
    """Speech synthesis; agents may name another voice."""

    voice: str = Field(default="piper-joe", min_length=1)
    threads: int = Field(default=1, ge=1, le=256)
    cache_entries: int = Field(default=256, ge=0, le=100_000)


class AvatarSettings(Section):
    """Faces: how they are drawn. The puppet needs no weights; a lip-sync network needs its own."""

    enabled: bool = True
    renderer: Literal["puppet", "wav2lip", "musetalk", "ultralight"] = "puppet"
    weights: Path | None = None
    weights_sha256: str = Field(default="", pattern=r"^([0-9a-fA-F]{64})?$")
    size: Literal[256, 384, 512] = 512
    threads: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _network_needs_weights(self) -> AvatarSettings:
        if self.renderer != "puppet" and self.weights is None:
            raise ValueError(
                f"weights must be set where renderer is {self.renderer}: the file or folder of its weights"
            )
        return self


class WebSettings(Section):
    """Browser sessions: who may open one without an API key, and how the media finds its way."""

    public_agents: tuple[str, ...] = ()
    sessions_per_address: int = Field(default=2, ge=1, le=10_000)
    public_avatars: bool = False
    avatars_per_address: int = Field(default=20, ge=1, le=100_000)
    avatars_kept_h: float = Field(default=24.0, ge=0.1, le=24 * 365)
    avatars_max: int = Field(default=500, ge=1, le=1_000_000)
    token_s: float = Field(default=120, ge=5, le=600)
    stun_urls: tuple[str, ...] = ()
    turn_urls: tuple[str, ...] = ()
    turn_secret: SecretStr = SecretStr("")
    gather_s: float = Field(default=1.0, ge=0.1, le=5)
    lost_s: float = Field(default=12, ge=6, le=14)
    audio_bitrate: int = Field(default=32_000, ge=12_000, le=128_000)
    frame_rate: int = Field(default=25, ge=5, le=30)
    video_codec: Literal["vp8", "h264"] = "vp8"

    @field_validator("stun_urls", "turn_urls")
    @classmethod
    def _ice_urls(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        schemes = ("stun:",) if info.field_name == "stun_urls" else ("turn:", "turns:")
        for url in value:
            if not url.startswith(schemes) or not url.partition(":")[2].strip("/"):
                raise ValueError(
                    f"must begin with {' or '.join(schemes)} and name a host, for example {schemes[0]}HOST"
                )
        return value

    @model_validator(mode="after")
    def _turn_needs_a_secret(self) -> WebSettings:
        if self.turn_urls and not self.turn_secret.get_secret_value():
            raise ValueError("turn_secret must be set where turn_urls is: the secret that the TURN server shares")
        return self


class SessionSettings(Section):
    """Conversations at once; one more is refused."""

    max: int = Field(default=16, ge=1, le=10_000)


class JobSettings(Section):
    """Durable jobs: the processes that run them, how much at once, and how long what came of them is kept."""

    workers: int = Field(default=1, ge=0, le=64)
    cpu: int = Field(default=1, ge=0, le=256)
    gpu: int = Field(default=0, ge=0, le=256)
    deliveries: int = Field(default=8, ge=0, le=256)
    poll_s: float = Field(default=0.1, ge=0.02, le=10)
    attempts: int = Field(default=3, ge=1, le=100)
    active_per_account: int = Field(default=1000, ge=1, le=1_000_000)
    retention_days: float = Field(default=30, gt=0, le=3650)
    worker_timeout_s: float = Field(default=5, ge=2, le=600)
    nice: int = Field(default=10, ge=0, le=19)


class WebhookSettings(Section):
    """Messages to users' URLs: the pauses after attempts that failed."""

    retry_after_s: tuple[Seconds, ...] = Field(default=(10.0, 60.0, 300.0), max_length=10)


class RenderSettings(Section):
    """What jobs render. `longest_s`: of a recording that a face speaks; longer ones are refused.

    `warm`: an idle worker loads what films need, so that its first is as fast as the others, and holds it from then on.
    """

    longest_s: Seconds = 600.0
    warm: bool = False


class StorageSettings(Section):
    """Files: where they are kept, how long their URLs hold, and how much of them an account may have."""

    bucket: str = Field(default="", pattern=r"^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    prefix: str = Field(default="", pattern=r"^$|^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")
    endpoint: HttpUrl | None = None
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: SecretStr = SecretStr("")
    url_s: int = Field(default=86_400, ge=60, le=7 * 86_400)
    account_bytes: int = Field(default=20 << 30, ge=1 << 20, le=1 << 50)
    upload_bytes: int = Field(default=512 << 20, ge=1024, le=1 << 40)
    upload_days: float = Field(default=7.0, gt=0, le=3650)

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> StorageSettings:
        if bool(self.access_key_id) != bool(self.secret_access_key.get_secret_value()):
            raise ValueError("access_key_id and secret_access_key must be set together")
        return self


class FetchingSettings(Section):
    """What the server may fetch for its users, and where it may post their webhooks."""

    allow_local: bool = False
    ports: tuple[int, ...] = (443, 8443)
    denied: tuple[Network, ...] = ()

    @field_validator("ports")
    @classmethod
    def _real_ports(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or not all(0 < port < 65536 for port in value):
            raise ValueError("must be ports from 1 to 65535, at least one")
        return value


class MetricsSettings(Section):
    """GET /metrics."""

    enabled: bool = True


def _policy_option(name: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        return getattr(TurnPolicy.from_options({name: value}), name)  # its ValueError names the range

    return check


def _turn_settings() -> type[Section]:
    """A section with the options of `TurnPolicy`: their names, types, defaults and checks stay in one place."""
    hints = get_type_hints(TurnPolicy)
    options: dict[str, Any] = {
        option.name: (Annotated[hints[option.name], AfterValidator(_policy_option(option.name))], option.default)
        for option in dataclasses.fields(TurnPolicy)
    }
    return create_model("TurnSettings", __base__=Section, __doc__="Turn-taking; agents may override each.", **options)


TurnSettings = _turn_settings()


class Settings(Section):
    """Everything that can be set."""

    data_dir: Path = Path("data")
    agents_dir: Path = Path("configs/agents")
    bootstrap_key: SecretStr | None = None
    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    database: DatabaseSettings = DatabaseSettings()
    llm: LlmSettings = LlmSettings()
    asr: AsrSettings = AsrSettings()
    tts: TtsSettings = TtsSettings()
    avatar: AvatarSettings = AvatarSettings()
    turn: Section = Field(default_factory=TurnSettings)
    telephony: TelephonySettings = TelephonySettings()
    web: WebSettings = WebSettings()
    sessions: SessionSettings = SessionSettings()
    jobs: JobSettings = JobSettings()
    webhooks: WebhookSettings = WebhookSettings()
    fetching: FetchingSettings = FetchingSettings()
    storage: StorageSettings = StorageSettings()
    metrics: MetricsSettings = MetricsSettings()
    renders: RenderSettings = RenderSettings()
    limits: LimitSettings = LimitSettings()
    plans: PlansSettings = PlansSettings()
    prices: PriceSettings = PriceSettings()
    models: ModelSettings = ModelSettings()

    @field_validator("data_dir", "agents_dir")
    @classmethod
    def _home(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("turn", mode="before")
    @classmethod
    def _turn(cls, value: Any) -> Any:
        return TurnSettings.model_validate(value) if isinstance(value, dict) else value

    @field_validator("turn")
    @classmethod
    def _turn_options_agree(cls, value: Section) -> Section:
        TurnPolicy.from_options(value.model_dump())
        return value

    @field_validator("bootstrap_key")
    @classmethod
    def _key_form(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            key = value.get_secret_value()
            if not key.startswith("sk_live_") or len(key) < BOOTSTRAP_KEY_LENGTH or not key.isascii() or " " in key:
                raise ValueError(
                    f"must begin with sk_live_ and have {BOOTSTRAP_KEY_LENGTH} characters or more, none of them a space"
                )
        return value

    @property
    def public_url(self) -> str:
        """What the world sees, without a slash at the end."""
        return self.server.public_url or f"http://127.0.0.1:{self.server.port}"

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database."""
        if self.database.url is not None:
            return self.database.url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'visavis.db').absolute()}"

    @property
    def turn_policy(self) -> TurnPolicy:
        """The turn-taking of an agent that overrides nothing."""
        return TurnPolicy.from_options(self.turn.model_dump())

    def with_port(self, port: int) -> Settings:
        """The same settings on the port that was really bound (where 0 was asked for)."""
        return self.model_copy(update={"server": self.server.model_copy(update={"port": port})})

    def secrets(self) -> tuple[str, ...]:
        """Every secret value, for the log to leave out."""
        return tuple(sorted({secret for secret in _secrets(self) if secret}))


def _secrets(section: Section) -> Iterator[str]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, Section):
            yield from _secrets(value)
