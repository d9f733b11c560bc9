"""How browsers may treat a stored file."""

from __future__ import annotations

from typing import Final

SHOWN: Final = ("image/", "audio/", "video/")
"""Kinds that may be shown in place; others are downloads. SVG is never stored as a picture."""
NEVER_SHOWN: Final = ("image/svg+xml",)


def served_type(media_type: str) -> str:
    """The Content-Type to serve it with: what a browser could run is plain bytes."""
    safe = media_type.startswith(SHOWN) and media_type not in NEVER_SHOWN
    return media_type if safe or media_type in ("application/json", "text/plain") else "application/octet-stream"


def disposition(key: str, media_type: str) -> str:
    """Content-Disposition of a key, whose last segment is plain ASCII."""
    name = key.rpartition("/")[2]
    way = "inline" if served_type(media_type).startswith(SHOWN) else "attachment"
    return f'{way}; filename="{name}"'
