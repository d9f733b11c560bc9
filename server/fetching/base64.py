"""Files that come inside a text: data: URLs (RFC 2397) and plain base64."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from server.fetching.errors import FetchError, FetchProblem

MAX_HEADER: Final = 256
"""Characters of a data: URL before its comma."""

_SPACES = re.compile(r"[ \t\r\n]+")


def decode_base64(text: str, max_bytes: int) -> bytes:
    """The bytes of a `data:…;base64,` URL or of plain base64, standard or URL-safe, padded or not.

    The length is checked before anything is decoded; the type that a data: URL claims is not believed. Raises
    `FetchError` (invalid_data, too_large).
    """
    if text[:5].lower() == "data:":
        header, comma, text = text[5:].partition(",")
        if not comma or len(header) > MAX_HEADER or not header.lower().replace(" ", "").endswith(";base64"):
            raise FetchError(FetchProblem.INVALID_DATA, "A data: URL must look like data:image/png;base64,iVBOR…")
    if len(text) > max_bytes * 2 + 1024:  # four characters for three bytes, and some for line ends
        raise _too_large(max_bytes)
    packed = _SPACES.sub("", text).replace("-", "+").replace("_", "/").rstrip("=")
    if len(packed) * 3 // 4 > max_bytes:
        raise _too_large(max_bytes)
    try:
        data = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise FetchError(FetchProblem.INVALID_DATA, "The data are not valid base64.") from None
    if not data:
        raise FetchError(FetchProblem.INVALID_DATA, "The data are empty.")
    return data


def _too_large(max_bytes: int) -> FetchError:
    return FetchError(FetchProblem.TOO_LARGE, f"The data have more than {max_bytes / 2**20:g} MiB.")
