"""Secrets and signatures after Standard Webhooks (https://www.standardwebhooks.com, version 1)."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime

from standardwebhooks.webhooks import Webhook

SECRET_START = "whsec_"  # noqa: S105 - how secrets begin
_SECRET_BYTES = 32


def new_secret() -> str:
    """A secret of 256 bits, as receivers' libraries take it."""
    return SECRET_START + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(secret: str, message_id: str, moment: datetime, body: str) -> dict[str, str]:
    """The headers that go with a message; `moment` is that of this attempt."""
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body),
    }
