"""Who may begin a browser session: whoever has an API key, and our own page where it is open to its visitor."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.browser.errors import Forbidden, Unauthorised
from server.browser.options import BrowserOptions
from server.owners import Asker, Owner
from server.phone.gate import is_local
from server.signing import Seal

COOKIE: Final = "visavis_page"

Authenticate = Callable[[str], Awaitable[str | None]]
"""The account of an API key; None for one that is not valid."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is asking. `agents`: whom of the configured ones it may talk to, None for all; `public`: without a key,
    from elsewhere; `owner`: whose avatars and agents are its own."""

    address: str
    agents: frozenset[str] | None
    public: bool
    owner: Owner | None = None

    @property
    def asker(self) -> Asker:
        """The same, as agents that people made are asked for. The page on this machine is its operator's."""
        page = self.owner is None or self.owner.account is None
        return Asker(self.owner, operator=page and not self.public, named=self.agents or frozenset())


class PageAccess:
    """Gives our page its cookie and recognises it.

    The cookie says only that our page was loaded here, and which visitor this is, a random id; whom it may talk to is
    decided anew at every request. `key` signs it: with one of this process, after a restart the page is loaded again.
    """

    def __init__(
        self, options: BrowserOptions, clock: Callable[[], float] = time.time, key: bytes | None = None
    ) -> None:
        self._options = options
        self._clock = clock
        self._seal = Seal(key or secrets.token_bytes(32))

    def agents_for(self, connection: HTTPConnection) -> frozenset[str] | None:
        """Whom a visitor of the page may talk to without a key: None for all, else these (maybe none)."""
        return None if is_local(connection) else self._options.public_agents

    def admit(self, connection: HTTPConnection, response: Response) -> bool:
        """Add the cookie to the page's response, if there is anybody this visitor may talk to; returns whether."""
        agents = self.agents_for(connection)
        if agents is not None and not agents:
            return False
        expires = int(self._clock() + self._options.page_ttl)
        response.set_cookie(
            COOKIE,
            self._seal.close(f"{expires}.{self._known(connection) or secrets.token_hex(16)}"),
            max_age=int(self._options.page_ttl),
            path="/",
            secure=self._options.public_url.startswith("https:") and not is_local(connection),
            httponly=True,
            samesite="strict",
        )
        return True

    def visitor(self, connection: HTTPConnection) -> Visitor:
        """The visitor of our page that sent this request. Raises `Unauthorised` or `Forbidden`."""
        visitor = self._known(connection)
        if visitor is None:
            raise Unauthorised("An API key is needed: Authorization: Bearer sk_live_…")
        if self._clock() >= int(connection.cookies[COOKIE].partition(".")[0]):
            raise Unauthorised("The page has been open for too long: load it again")
        if not is_own_page(connection, self._options.public_url):
            raise Forbidden("This request was not made by our page")
        agents = self.agents_for(connection)
        return Visitor(address_of(connection), agents, public=agents is not None, owner=Owner(visitor=visitor))

    def _known(self, connection: HTTPConnection) -> str | None:
        """The visitor whose cookie this is, maybe an old one; None without one of ours."""
        signed = self._seal.open(connection.cookies.get(COOKIE, ""))
        return None if signed is None else signed.partition(".")[2] or None


def is_own_page(connection: HTTPConnection, public_url: str) -> bool:
    """Whether the browser vouches that one of our own pages makes this request."""
    headers = connection.headers
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        # Not every browser says where a GET comes from; it changes nothing, and our cookies are SameSite=Strict.
        return site is not None or connection.scope.get("method") in ("GET", "HEAD")
    try:
        given = urlsplit(origin)
    except ValueError:
        return False
    own = {headers.get("host", ""), urlsplit(public_url).netloc}
    return given.scheme in ("http", "https") and given.netloc in own


def bearer(connection: HTTPConnection) -> str:
    """The token of the Authorization header, "" where there is none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def address_of(connection: HTTPConnection) -> str:
    """The client's address; of IPv6 the network, for one client has all of it."""
    host = connection.client.host if connection.client else ""
    return ":".join(host.split(":")[:4]) if ":" in host and not host.startswith("::") else host


async def identify(connection: HTTPConnection, page: PageAccess, authenticate: Authenticate) -> Visitor:
    """Who is asking: by API key (Authorization or X-API-Key), else by the page's cookie.

    Raises `Unauthorised` or `Forbidden`.
    """
    key = bearer(connection) or connection.headers.get("x-api-key", "")
    if not key:
        return page.visitor(connection)
    account = await authenticate(key)
    if account is None:
        raise Unauthorised("The API key is unknown or revoked")
    return Visitor(address_of(connection), None, public=False, owner=Owner(account=account))
