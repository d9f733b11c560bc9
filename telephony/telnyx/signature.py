"""telnyx-signature-ed25519: whether a webhook comes from Telnyx.

The signature is Ed25519 (RFC 8032) over the timestamp, a bar and the body as it was sent, in base64; the public key is
the account's. A timestamp far from now is a replay.

Source: developers.telnyx.com/docs/voice/programmable-voice/voice-api-webhooks#webhook-signing.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNATURE: Final = "telnyx-signature-ed25519"
TIMESTAMP: Final = "telnyx-timestamp"
TOLERANCE: Final = 300
"""Seconds that a webhook may be old, or ahead of our clock."""

_SECONDS = re.compile(r"[0-9]{1,12}")


def is_valid(public_key: str, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Whether Telnyx signed `body` at `timestamp` (seconds since 1970), not long before `now`.

    `public_key`: base64, as the portal shows it.
    """
    if not _SECONDS.fullmatch(timestamp) or abs(now - int(timestamp)) > TOLERANCE:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature, validate=True), timestamp.encode() + b"|" + body)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
