"""How the media finds its way: servers for both sides, bounded gathering, what is changed of offer and answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import partial
from typing import Any, Final

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection

from server.browser.errors import BadOffer
from server.browser.options import BrowserOptions

MAX_SDP: Final = 64 * 1024
MAX_CANDIDATES: Final = 64
MAX_MEDIA: Final = 8

_CREDENTIAL_SECONDS: Final = 12 * 3600
_OPUS: Final = re.compile(r"^a=rtpmap:(\d+) opus/48000/2\r?\n", re.IGNORECASE | re.MULTILINE)


def ice_servers(options: BrowserOptions, session_id: str, unix_time: float) -> list[dict[str, object]]:
    """What the client's RTCPeerConnection is given, with credentials of its own for TURN.

    The credentials are those of the TURN REST API (draft-uberti-behave-turn-rest): they say until when they hold,
    signed with the secret that the TURN server shares.
    """
    servers: list[dict[str, object]] = []
    if options.stun_urls:
        servers.append({"urls": list(options.stun_urls)})
    if options.turn_urls:
        username = f"{int(unix_time) + _CREDENTIAL_SECONDS}:{session_id}"
        digest = hmac.new(options.turn_secret.encode(), username.encode(), hashlib.sha1).digest()
        credential = base64.b64encode(digest).decode()
        servers.append({"urls": list(options.turn_urls), "username": username, "credential": credential})
    return servers


def configuration(options: BrowserOptions, session_id: str, unix_time: float) -> RTCConfiguration:
    """The same servers for our side. Without any, none: aiortc would ask a public STUN server by itself."""
    servers: list[Any] = ice_servers(options, session_id, unix_time)
    return RTCConfiguration(iceServers=[RTCIceServer(**server) for server in servers])


def bound_gathering(connection: RTCPeerConnection, seconds: float) -> None:
    """Wait for STUN and TURN servers no longer than this (aioice: 5 s)."""
    for transceiver in connection.getTransceivers():
        ice = transceiver.receiver.transport.transport._connection
        ice.get_component_candidates = partial(ice.get_component_candidates, timeout=seconds)  # type: ignore[method-assign,arg-type]


def prepare_offer(offer: str) -> str:
    """The offer without what would hold us up. Raises `BadOffer`.

    Names of the local network (mDNS) are left out: such a client finds us, and is then known by its address. So is the
    end of the candidates: a client that sent none yet may still come.
    """
    if len(offer) > MAX_SDP:
        raise BadOffer(f"sdp: at most {MAX_SDP} characters")
    lines = offer.replace("\r\n", "\n").split("\n")
    if sum(line.startswith("a=candidate:") for line in lines) > MAX_CANDIDATES:
        raise BadOffer(f"sdp: at most {MAX_CANDIDATES} candidates")
    media = [line for line in lines if line.startswith("m=")]
    if len(media) > MAX_MEDIA or not any(line.startswith("m=audio ") for line in media):
        raise BadOffer(f"sdp: an offer with audio and at most {MAX_MEDIA} sections is expected")
    kept = [line for line in lines if line != "a=end-of-candidates" and not _is_local_name(line)]
    return "\r\n".join(kept)


def wants_video(offer: str) -> bool:
    """Whether a client would show a picture: it offers video that it receives."""
    sections = offer.replace("\r\n", "\n").split("\nm=")[1:]
    return any(
        section.startswith("video ")
        and not section.startswith("video 0 ")
        and not {"a=sendonly", "a=inactive"} & set(section.split("\n"))
        for section in sections
    )


def complete_answer(answer: str) -> str:
    """The answer with what we want of the client's Opus: error correction, and no more band than we listen to."""
    wishes = "minptime=10;useinbandfec=1;stereo=0;maxplaybackrate=16000"
    return _OPUS.sub(lambda match: f"{match[0]}a=fmtp:{match[1]} {wishes}\r\n", answer)


def _is_local_name(line: str) -> bool:
    parts = line.split()
    return line.startswith("a=candidate:") and len(parts) > 4 and parts[4].lower().endswith(".local")
