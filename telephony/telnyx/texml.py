"""TeXML: what Telnyx is told to do with a call. It is TwiML but for how a two-way stream is asked for.

Source: developers.telnyx.com/docs/voice/programmable-voice/texml-verbs.
"""

from __future__ import annotations

from collections.abc import Mapping

from telephony.twilio import twiml


def connect_stream(url: str, parameters: Mapping[str, str], then: str = "") -> str:
    """Open a two-way stream of μ-law to `url`; otherwise as `telephony.twilio.twiml.connect_stream`."""
    return twiml.connect_stream(
        url, parameters, then, track="inbound_track", bidirectionalMode="rtp", bidirectionalCodec="PCMU"
    )
