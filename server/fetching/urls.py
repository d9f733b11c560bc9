"""URLs from users, taken apart strictly: what can be read in two ways is refused, not guessed at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import idna

from server.fetching.addresses import Address, Network, is_loopback, is_public, parse_address
from server.fetching.errors import FetchError, FetchProblem
from server.settings import FetchingSettings

MAX_LENGTH: Final = 2048
"""Characters of a URL."""

_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff\\]")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_QUAD = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!$)|$)){4}")
_PRIVATE_NAMES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa", "arpa", "onion")
_KEPT_IN_PATH = "/:@!$&'()*+,;=~%-._"
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """What URLs may name. `allow_local` admits http and this machine itself, on any port: for tests and development.

    `denied` are networks that count as not public, besides those that are not. `own`: how this server's own URLs of
    stored files begin; they are never fetched over the network, see `Fetcher`.
    """

    allow_local: bool = False
    ports: frozenset[int] = frozenset({443, 8443})
    denied: tuple[Network, ...] = ()
    own: str = ""

    @classmethod
    def of(cls, settings: FetchingSettings, own: str = "") -> UrlPolicy:
        """As the settings' section `fetching` has it."""
        return cls(settings.allow_local, frozenset(settings.ports), settings.denied, own)

    def is_own(self, url: str) -> bool:
        """Whether it is a URL of a file that this server stores."""
        return bool(self.own) and url.startswith(self.own)

    def admits(self, address: Address) -> bool:
        """Whether a connection to it is allowed."""
        return is_public(address, self.denied) or (self.allow_local and is_loopback(address))


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: an ASCII host name or address (IPv6 without brackets), port, and what is asked for there."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    @property
    def url(self) -> str:
        """The whole URL in its one normal form, without a fragment."""
        return self.origin + self.path


def check_url(url: str, policy: UrlPolicy) -> Target:
    """Take a user's URL apart and check all that can be checked without asking the network.

    Raises `FetchError` (invalid_url, not_public); the text says what to change.
    """
    if not url:
        raise _invalid("is empty")
    if len(url) > MAX_LENGTH:
        raise _invalid(f"has more than {MAX_LENGTH} characters")
    if _UNSEEN.search(url):
        raise _invalid("has spaces, backslashes or invisible characters; percent-encode what is meant")
    try:
        parts = urlsplit(url)
        port = parts.port
        url.encode("utf-8")
    except (ValueError, UnicodeError):
        raise _invalid("is not a well-formed URL") from None
    scheme = parts.scheme.lower()
    if policy.is_own(url):
        return Target(scheme, parts.hostname or "", port or _PORTS.get(scheme, 443), f"{parts.path}?{parts.query}")
    if scheme != "https" and not (scheme == "http" and policy.allow_local):
        raise _invalid("must begin with https://")
    if "@" in parts.netloc:
        raise _invalid("must not hold a user name or password")
    if "%" in parts.netloc:
        raise _invalid("has a percent sign in its host name")
    host = _host(parts.netloc, policy)
    if parts.netloc.endswith(":") or port == 0:
        raise _invalid("has an empty or impossible port")
    port = port or _PORTS[scheme]
    if port not in policy.ports and not policy.allow_local:
        allowed = " or ".join(str(number) for number in sorted(policy.ports))
        raise _invalid(f"names port {port}; {allowed} can be used")
    path = quote(parts.path or "/", safe=_KEPT_IN_PATH)
    query = f"?{quote(parts.query, safe=_KEPT_IN_PATH + '?')}" if parts.query else ""
    return Target(scheme, host, port, path + query)


def follow(target: Target, location: str, policy: UrlPolicy) -> Target:
    """Where a redirect from `target` leads; checked as any URL of a user is. Raises `FetchError`."""
    if not location or len(location) > MAX_LENGTH or _UNSEEN.search(location):
        raise FetchError(FetchProblem.REDIRECTS, "The server redirects to something that is not a URL.")
    try:
        joined = urljoin(target.url, location)
    except ValueError:
        raise FetchError(FetchProblem.REDIRECTS, "The server redirects to something that is not a URL.") from None
    return check_url(joined, policy)


def _host(netloc: str, policy: UrlPolicy) -> str:
    if netloc.startswith("["):
        return _literal(netloc[1:].partition("]"), policy)
    name = _ascii(netloc.rpartition(":")[0] if ":" in netloc else netloc)
    if not name:
        raise _invalid("has no host name")
    labels = name.split(".")
    if _NUMBER.fullmatch(
        labels[-1]
    ):  # every such name is an address, as browsers read it: only one form is unmistakable
        if not _QUAD.fullmatch(name):
            raise _invalid("has a host that is a number in an unusual form")
        _check(parse_address(name), policy)
        return name
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid("has an impossible host name")
    private = len(labels) == 1 or any(name == zone or name.endswith(f".{zone}") for zone in _PRIVATE_NAMES)
    if private and not (policy.allow_local and name == "localhost"):
        raise FetchError(FetchProblem.NOT_PUBLIC, "The URL names a host that is not on the public Internet.")
    return name


def _literal(parts: tuple[str, str, str], policy: UrlPolicy) -> str:
    inside, bracket, rest = parts
    if not bracket or (rest and not rest.startswith(":")):
        raise _invalid("has an impossible host")
    try:
        address = IPv6Address(inside)
    except ValueError:
        raise _invalid("has an impossible host") from None
    _check(address, policy)
    return str(address)


def _ascii(name: str) -> str:
    """A host name in lower-case ASCII without a dot at its end (UTS 46: dots, digits and letters of other scripts)."""
    try:
        if not name.isascii() or "xn--" in name.lower():
            name = idna.encode(name, uts46=True, std3_rules=True, transitional=False).decode("ascii")
    except (UnicodeError, ValueError):  # idna's own errors are Unicode errors
        raise _invalid("has an impossible international host name") from None
    return name.lower().removesuffix(".")


def _check(address: Address, policy: UrlPolicy) -> None:
    if not policy.admits(address):
        raise FetchError(FetchProblem.NOT_PUBLIC, "The URL names an address that is not on the public Internet.")


def _invalid(what: str) -> FetchError:
    return FetchError(FetchProblem.INVALID_URL, f"The URL {what}.")
