"""`/console`: the page, and signing in to it with an API key."""

from __future__ import annotations

import time
from typing import Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from server.bodies import read_body
from server.browser.access import address_of, is_own_page
from server.console.access import ConsoleAccess
from server.database import Identity
from server.errors import error_response
from server.gate.body import check_json_type, parse_json
from server.gate.errors import ApiError
from server.gate.gate import DATABASE_ERRORS, Gate, refused
from server.gate.models import CamelRequest, Said, validated
from server.web.assets import Assets
from server.web.pages import Page, policy_with

PAGE: Final = "/console"
SESSION: Final = "/console/session"
MAX_BODY: Final = 4096


class SignIn(CamelRequest):
    """The API key to sign in with."""

    key: Said = Field(max_length=200)


class Console:
    """The console's routes. `public_url`: how the world reaches this server. `files`: the origin of stored files, where
    they are not had from this server."""

    def __init__(
        self,
        gate: Gate,
        access: ConsoleAccess,
        public_url: str,
        assets: Assets | None = None,
        *,
        files: str | None = None,
    ) -> None:
        self._gate = gate
        self._access = access
        self._public_url = public_url
        self._page = Page("console.html", assets or Assets())
        self._policy = policy_with(files)

    def routes(self) -> list[BaseRoute]:
        """To be mounted at the root."""
        return [
            Route(PAGE, self._show, methods=["GET"], name="console"),
            Route(SESSION, self._who, methods=["GET"], name="console-session"),
            Route(SESSION, self._sign_in, methods=["POST"]),
            Route(SESSION, self._sign_out, methods=["DELETE"]),
        ]

    async def _show(self, _request: Request) -> Response:
        return self._page.response(policy=self._policy)

    async def _who(self, request: Request) -> Response:
        """Who is signed in; `data` is null where nobody is."""
        key_id = self._access.key_id(request)
        try:
            account = await self._gate.authenticator.identify_by_id(key_id) if key_id else None
        except DATABASE_ERRORS:
            return _unavailable()
        return _answer(_shown(account) if account else None)

    async def _sign_in(self, request: Request) -> Response:
        if not is_own_page(request, self._public_url):
            return error_response(403, "This request was not made by the console")
        verdict = await self._gate.limiter.admit_stranger(address_of(request))
        if self._gate.limiter.enabled and not verdict.admitted:
            response: Response = error_response(429, "Too many attempts: wait a moment")
            response.headers["retry-after"] = verdict.headers(time.time())["retry-after"]
            return response
        try:
            check_json_type(request.headers.get("content-type", ""))
            asked = validated(SignIn, parse_json(await read_body(request, MAX_BODY) or b""))
            account = await self._gate.authenticator.identify(asked.key.strip())
        except ApiError as error:
            return refused(error, SESSION)
        except DATABASE_ERRORS:
            return _unavailable()
        if account is None:
            return error_response(401, "This API key is unknown or revoked")
        response = _answer(_shown(account), 201)
        self._access.sign_in(request, response, account.key.id)
        return response

    async def _sign_out(self, request: Request) -> Response:
        if not is_own_page(request, self._public_url):
            return error_response(403, "This request was not made by the console")
        response = Response(status_code=204)
        self._access.sign_out(response)
        return response


def _shown(account: Identity) -> dict[str, str]:
    return {
        "name": account.name,
        "plan": account.plan,
        "keyId": account.key.id,
        "keyName": account.key.name,
        "keyPrefix": account.key.prefix,
    }


def _answer(data: dict[str, str] | None, status: int = 200) -> Response:
    return JSONResponse({"data": data}, status, headers={"cache-control": "no-store"})


def _unavailable() -> Response:
    return error_response(503, "The service is not available at the moment: try again soon")
