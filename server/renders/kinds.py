"""The kinds of job that render, for the server to order and its workers to make."""

from __future__ import annotations

from typing import Final

from server.jobs.handlers import JobKind, Kinds, kinds_of

VOICE: Final = "voice"
AVATAR: Final = "avatar"
TALKING: Final = "talking"
VIDEO: Final = "video"
CONTENT: Final = "content"

VIDEO_KINDS: Final = (VIDEO, CONTENT)
"""What F1 lists as videos."""

RENDERS: Final[Kinds] = kinds_of(
    [
        JobKind(VOICE, "server.renders.voice:run", time_limit_s=1800),
        JobKind(AVATAR, "server.renders.talking:avatar", time_limit_s=3600),
        JobKind(TALKING, "server.renders.talking:talking", time_limit_s=3600),
        JobKind(VIDEO, "server.renders.talking:video", time_limit_s=3600),
        JobKind(CONTENT, "server.renders.talking:video", time_limit_s=3600),
    ]
)
