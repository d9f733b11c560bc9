"""Forwarded headers count only from proxies that the settings trust."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class TrustedProxies:
    """Takes client, scheme and host from X-Forwarded-For, -Proto and -Host where the peer is a trusted proxy.

    The client is the last address in X-Forwarded-For that is not itself a trusted proxy: what stands before it was
    written by strangers. The headers themselves stay, for endpoints that must know that there was a proxy.
    """

    def __init__(self, app: ASGIApp, networks: Sequence[Network]) -> None:
        self._app = app
        self._networks = tuple(networks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its scope corrected."""
        if self._networks and scope["type"] in ("http", "websocket") and self._trusts(_peer(scope)):
            scope = self._corrected(scope)
        await self._app(scope, receive, send)

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _corrected(self, scope: Scope) -> Scope:
        headers = Headers(scope=scope)
        scope = dict(scope)
        if client := self._client(headers.getlist("x-forwarded-for")):
            scope["client"] = (str(client), 0)
        proto = _last(headers.getlist("x-forwarded-proto")).lower()
        if proto in ("http", "https"):
            scope["scheme"] = proto if scope["type"] == "http" else proto.replace("http", "ws")
        if host := _last(headers.getlist("x-forwarded-host")):
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", host.encode("latin-1")), *others]
        return scope

    def _client(self, values: list[str]) -> Address | None:
        client = None
        for text in reversed([part for value in values for part in value.split(",")]):
            client = _address(text)
            if client is None or not self._trusts(client):
                break
        return client


def _last(values: list[str]) -> str:
    """The entry that the nearest proxy wrote."""
    return values[-1].rpartition(",")[2].strip() if values else ""


def _peer(scope: Scope) -> Address | None:
    client = scope.get("client")
    return _address(client[0]) if client else None


def _address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):  # [::1]:1234
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # 10.0.0.1:1234
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address
