"""Who is signed in to the console: a cookie that stands for an API key, which itself never stays in the browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.browser.access import is_own_page
from server.phone.gate import is_local
from server.signing import Seal

COOKIE: Final = "visavis_console"
SIGNED_IN_S: Final = 12 * 3600
_LONGEST_ID: Final = 100


class ConsoleAccess:
    """Gives the console its cookie and recognises it.

    The cookie names the key that was shown at sign-in, signed by `key`, and is worth as much as that API key for twelve
    hours at most: where the API key is revoked, so is the cookie. It counts only for requests that the browser says
    our own pages make (SameSite, Fetch metadata, Origin), so no other site can use it.
    """

    def __init__(self, key: bytes, public_url: str, clock: Callable[[], float] = time.time) -> None:
        self._seal = Seal(key)
        self._public_url = public_url
        self._clock = clock

    def sign_in(self, connection: HTTPConnection, response: Response, key_id: str) -> None:
        """Add the cookie that stands for this API key."""
        response.set_cookie(
            COOKIE,
            self._seal.close(f"{key_id}.{int(self._clock()) + SIGNED_IN_S}"),
            max_age=SIGNED_IN_S,
            path="/",
            secure=self._public_url.startswith("https:") and not is_local(connection),
            httponly=True,
            samesite="strict",
        )

    def sign_out(self, response: Response) -> None:
        """Take the cookie back."""
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")

    def key_id(self, connection: HTTPConnection) -> str | None:
        """The id of the API key that this request's cookie stands for; None where nobody is signed in."""
        signed = self._seal.open(connection.cookies.get(COOKIE, ""))
        if signed is None:
            return None
        key_id, _, expires = signed.rpartition(".")
        if not expires.isdecimal() or self._clock() >= int(expires) or len(key_id) > _LONGEST_ID:
            return None
        return key_id if is_own_page(connection, self._public_url) else None
