"""Our HTML: written by hand, the paths of its files filled in, sent with headers that let it do only what it must."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from starlette.responses import HTMLResponse, Response

from server.web.assets import Assets

PAGES: Final = Path(__file__).parent / "pages"
_ASSET: Final = re.compile(r"\{\{([^{}]+)\}\}")

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Nothing inline, nothing from elsewhere, no string ever becomes markup."""

PERMISSIONS_POLICY: Final = ", ".join(
    (
        "microphone=(self)",
        "camera=(self)",
        "speaker-selection=(self)",
        "autoplay=(self)",
        "display-capture=()",
        "geolocation=()",
        "payment=()",
        "usb=()",
    )
)


class Page:
    """One HTML file of `server/web/pages`; `{{name}}` in it stands for the path of that static file."""

    def __init__(self, name: str, assets: Assets) -> None:
        source = (PAGES / name).read_text(encoding="utf-8")
        self._html = _ASSET.sub(lambda match: assets.url(match[1].strip()), source)

    def response(self, *, policy: str = CONTENT_SECURITY_POLICY) -> Response:
        """The page as it goes to a browser; never kept, so that it always names the newest files."""
        headers = {
            "content-security-policy": policy,
            "permissions-policy": PERMISSIONS_POLICY,
            "cache-control": "no-store",
        }
        return HTMLResponse(self._html, headers=headers)


def policy_with(files: str | None) -> str:
    """The policy of a page that shows and plays stored files; `files`: their origin, where it is not ours."""
    if files is None:
        return CONTENT_SECURITY_POLICY
    return re.sub(r"\b(img-src|media-src) 'self'", rf"\1 'self' {files}", CONTENT_SECURITY_POLICY)
