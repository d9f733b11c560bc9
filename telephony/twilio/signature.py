"""X-Twilio-Signature: whether a request comes from Twilio.

The signature is the base64 of an HMAC-SHA1, keyed with the account's auth token, over the URL that Twilio was
told to call (as the world sees it, with its query) followed by every form parameter, sorted by name, as name and
value without separators. A WebSocket handshake has no parameters and a ws or wss URL.

Source: twilio.com/docs/usage/security#validating-requests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

HEADER: Final = "X-Twilio-Signature"

_DEFAULT_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}


def sign(auth_token: str, url: str, parameters: Iterable[tuple[str, str]] = ()) -> str:
    """The signature Twilio would send for this URL and these form parameters (each pair once)."""
    text = url + "".join(name + value for name, value in sorted(set(parameters)))
    digest = hmac.new(auth_token.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")


def is_valid(auth_token: str, url: str, signature: str, parameters: Iterable[tuple[str, str]] = ()) -> bool:
    """Whether `signature` is Twilio's for a request to `url`. Compares in constant time.

    Twilio leaves the port out or writes it, whatever the URL says, and adds a slash to a WebSocket URL without
    one; every such spelling of this URL is accepted, as its own libraries do.
    """
    if not auth_token:
        return False
    pairs = list(parameters)
    given = signature.strip().encode("utf-8", "surrogatepass")
    valid = False
    for spelling in _spellings(url):  # all of them, always: how long it takes says nothing
        valid |= hmac.compare_digest(sign(auth_token, spelling, pairs).encode(), given)
    return valid


def _spellings(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    hosts = [parts.netloc, _without_port(parts)]
    if parts.port is None and parts.scheme in _DEFAULT_PORTS:
        hosts.append(f"{parts.netloc}:{_DEFAULT_PORTS[parts.scheme]}")
    paths = [parts.path]
    if parts.scheme in ("ws", "wss") and not parts.path.endswith("/"):
        paths.append(parts.path + "/")
    for host in hosts:
        for path in paths:
            yield urlunsplit(parts._replace(netloc=host, path=path))


def _without_port(parts: SplitResult) -> str:
    return parts.netloc if parts.port is None else parts.netloc.rsplit(":", 1)[0]
