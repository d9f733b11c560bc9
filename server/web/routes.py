"""The talk page at `/`, and the files of all pages below `/static`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.browser.access import PageAccess
from server.web.assets import Assets
from server.web.pages import Page


def web_routes(access: PageAccess, assets: Assets | None = None) -> list[BaseRoute]:
    """To be mounted at the root. `access` gives the page's visitor the cookie that its requests need."""
    assets = assets or Assets()
    page = Page("talk.html", assets)

    async def talk(request: Request) -> Response:
        response = page.response()
        access.admit(request, response)
        return response

    return [Route("/", talk, methods=["GET"], name="talk"), *assets.routes()]
