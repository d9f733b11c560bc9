"""X-Plivo-Signature-V3: whether a webhook comes from Plivo.

The signature is the base64 of an HMAC-SHA256, keyed with the account's auth token, over the URL that Plivo was told to
call, its query sorted; for a POST with parameters a question mark, a dot after a query, and every parameter, sorted by
name, as name and value without separators; at last a dot and the nonce. The header may hold several, for each token
that the account has, separated by commas.

Source: plivo.com/docs/voice/concepts/signature-validation, and the `plivo` library's `signature_v3.py`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

SIGNATURE: Final = "X-Plivo-Signature-V3"
NONCE: Final = "X-Plivo-Signature-V3-Nonce"


def sign(auth_token: str, url: str, nonce: str, parameters: Iterable[tuple[str, str]] = ()) -> str:
    """The signature Plivo would send for a POST to this URL with these form parameters."""
    text = f"{_base(url, list(parameters))}.{nonce}"
    digest = hmac.new(auth_token.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")


def is_valid(auth_token: str, url: str, nonce: str, signature: str, parameters: Iterable[tuple[str, str]] = ()) -> bool:
    """Whether one of the signatures in the header is Plivo's for a POST to `url`. Compares in constant time."""
    if not auth_token or not nonce:
        return False
    expected = sign(auth_token, url, nonce, parameters).encode()
    given = [each.strip().encode("utf-8", "surrogatepass") for each in signature.split(",")]
    valid = False
    for each in given:  # all of them, always: how long it takes says nothing
        valid |= hmac.compare_digest(expected, each)
    return valid


def _base(url: str, parameters: list[tuple[str, str]]) -> str:
    parts = urlsplit(url)
    query = "&".join(_sorted(parse_qsl(parts.query, keep_blank_values=True), "="))
    base = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    if not parameters:
        return f"{base}?{query}" if query else base
    return f"{base}?{query}{'.' if query else ''}{''.join(_sorted(parameters, ''))}"


def _sorted(pairs: list[tuple[str, str]], separator: str) -> list[str]:
    """Names and values in the order in which they are signed."""
    return [name + separator + value for name, value in sorted(pairs)]
