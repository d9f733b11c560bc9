"""Who may call: the carrier, proved by its signature, or, where no secret is set, programs on this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from server.phone.carriers import CarrierDialect, dialect_of
from server.phone.options import PhoneOptions

_FORWARDED: Final = (
    "forwarded",
    "via",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-",
    "x-envoy-",
    "true-client-ip",
    "cf-",
    "fly-",
    "fastly-",
    "ngrok-",
    "tailscale-",
)
"""Beginnings of the headers that proxies and tunnels add: whoever is behind one is not on this machine."""


class Gate:
    """Decides on every request and handshake; nothing of a refused one is looked at further."""

    def __init__(self, options: PhoneOptions, carrier: CarrierDialect | None = None) -> None:
        self._secret = options.auth_token
        self._public_url = options.public_url.rstrip("/")
        self._carrier = carrier or dialect_of(options.carrier)

    def url(self, path: str, *, websocket: bool = False) -> str:
        """The public URL of a path of this server, as the carrier is told it."""
        return (_as_websocket(self._public_url) if websocket else self._public_url) + path

    def admits(self, connection: HTTPConnection, form: Iterable[tuple[str, str]] = (), body: bytes = b"") -> bool:
        """Whether this request, with this body and the form in it, or this handshake may go on.

        A handshake that the carrier does not sign may: its stream is let in by a token, or not at all.
        """
        if not self._secret:
            return is_local(connection)
        websocket = connection.scope["type"] == "websocket"
        if websocket and not self._carrier.signs_streams:
            return True
        url = self.url(_target(connection), websocket=websocket)
        return self._carrier.is_signed(self._secret, connection.headers, url, list(form), body)


def is_local(connection: HTTPConnection) -> bool:
    """Whether a program on this machine speaks to us directly, and no web page of another site through it."""
    client, headers = connection.client, connection.headers
    hosts = headers.getlist("host")
    return (
        client is not None
        and _is_loopback(client.host)
        and len(hosts) == 1
        and _is_loopback(_host_name(hosts[0]))
        and not any(name.startswith(_FORWARDED) for name in headers)
        and _same_origin(headers, hosts[0])
    )


def _same_origin(headers: Headers, host: str) -> bool:
    try:
        return all(urlsplit(origin).netloc == host for origin in headers.getlist("origin"))
    except ValueError:
        return False


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _target(connection: HTTPConnection) -> str:
    """Path and query as they were asked for, escapes and all."""
    scope = connection.scope
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw else quote(scope["path"])
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _as_websocket(url: str) -> str:
    return "ws" + url.removeprefix("http")
