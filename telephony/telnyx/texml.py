"""TeXML: what Telnyx is told to do with a call. It is TwiML but for how a two-way stream is asked for.

Source: developers.telnyx.com/docs/voice/programmable-voice/texml-verbs (connect, stream, redirect).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from telephony.markup import Document


def connect_stream(url: str, parameters: Mapping[str, str], then: str = "") -> str:
    """Open a two-way stream of μ-law to `url` (ws or wss, no query) with these custom parameters.

    They stand in the URL's query and in `<Parameter>`: the documents name neither for TeXML, and both are in use. When
    the server ends the stream, the document at `then` says what follows; without one, the call ends.
    """
    document = Document()
    stream = document.add("Connect").add(
        "Stream",
        url=f"{url}?{urlencode(parameters)}" if parameters else url,
        track="inbound_track",
        bidirectionalMode="rtp",
        bidirectionalCodec="PCMU",
    )
    for name, value in parameters.items():
        stream.add("Parameter", name=name, value=value)
    if then:
        document.add("Redirect", then, method="POST")
    return str(document)
