"""What the browser's endpoints need to know of the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.settings import Settings


@dataclass(frozen=True, slots=True)
class BrowserOptions:
    """Settings of browser sessions; times in seconds.

    `join_timeout`: from the answer until the media flows. `lost_after`: a connection from which nothing comes is
    gone. `wind_up`: what a session gets to finish its record when the caller has left. `page_ttl`: how
    long a page may stay open before it has to be loaded again to begin a session.
    """

    public_url: str
    max_sessions: int
    public_agents: frozenset[str] = frozenset()
    sessions_per_address: int = 2
    token_ttl: float = 120.0
    stun_urls: tuple[str, ...] = ()
    turn_urls: tuple[str, ...] = ()
    turn_secret: str = field(default="", repr=False)
    gather_timeout: float = 1.0
    lost_after: float = 12.0
    audio_bitrate: int = 32_000
    frame_rate: int = 25
    video_codec: str = "vp8"
    join_timeout: float = 15.0
    wind_up: float = 1.0
    page_ttl: float = 12 * 3600.0

    @classmethod
    def of(cls, settings: Settings) -> BrowserOptions:
        """The browser's part of the settings."""
        web = settings.web
        return cls(
            public_url=settings.public_url,
            max_sessions=settings.sessions.max,
            public_agents=frozenset(web.public_agents),
            sessions_per_address=web.sessions_per_address,
            token_ttl=web.token_s,
            stun_urls=web.stun_urls,
            turn_urls=web.turn_urls,
            turn_secret=web.turn_secret.get_secret_value(),
            gather_timeout=web.gather_s,
            lost_after=web.lost_s,
            audio_bitrate=web.audio_bitrate,
            frame_rate=web.frame_rate,
            video_codec=web.video_codec,
        )
