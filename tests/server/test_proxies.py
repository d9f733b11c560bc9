"""Which forwarded headers are believed."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from server.middleware import TrustedProxies

TRUSTED = ("10.0.0.0/8", "::1/128")


async def seen(
    peer: str | None, headers: dict[str, str], *, kind: str = "http", trusted: tuple[str, ...] = TRUSTED
) -> Scope:
    """The scope an application gets behind the middleware."""
    got: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got.append(scope)

    async def receive() -> Message:
        raise AssertionError("nobody reads")

    async def send(message: Message) -> None:
        raise AssertionError("nobody answers")

    scope: Scope = {
        "type": kind,
        "scheme": "http" if kind == "http" else "ws",
        "client": (peer, 5000) if peer else None,
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "inner:8080", **headers}.items()],
    }
    await TrustedProxies(app, [ip_network(network) for network in trusted])(scope, receive, send)
    return got[0]


def host(scope: Scope) -> str:
    """The Host header."""
    return Headers(scope=scope)["host"]


FORWARDED = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "voice.example.com"}


async def test_a_trusted_proxy_tells_client_scheme_and_host() -> None:
    scope = await seen("10.1.2.3", FORWARDED)
    assert scope["client"] == ("203.0.113.9", 0)
    assert scope["scheme"] == "https"
    assert host(scope) == "voice.example.com"
    assert (b"x-forwarded-for", b"203.0.113.9") in scope["headers"]


async def test_a_web_socket_behind_https_is_secure() -> None:
    assert (await seen("10.1.2.3", FORWARDED, kind="websocket"))["scheme"] == "wss"


@pytest.mark.parametrize("peer", ["192.0.2.1", "11.0.0.1", "::2", "testclient", None])
async def test_a_stranger_tells_nothing(peer: str | None) -> None:
    scope = await seen(peer, FORWARDED)
    assert scope["client"] == ((peer, 5000) if peer else None)
    assert scope["scheme"] == "http"
    assert host(scope) == "inner:8080"


async def test_nobody_is_trusted_unless_told() -> None:
    assert (await seen("127.0.0.1", FORWARDED, trusted=()))["client"] == ("127.0.0.1", 5000)


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.7, 203.0.113.9", "203.0.113.9"),  # what the client wrote itself stands first
        ("203.0.113.9, 10.9.9.9", "203.0.113.9"),  # a chain of our own proxies
        ("10.9.9.9", "10.9.9.9"),  # a client in the trusted network
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, nonsense", "10.1.2.3"),
        ("", "10.1.2.3"),
        ("203.0.113.9, ", "10.1.2.3"),
    ],
)
async def test_the_client_is_the_last_address_that_no_proxy_of_ours_has(forwarded: str, client: str) -> None:
    assert (await seen("10.1.2.3", {"x-forwarded-for": forwarded}))["client"][0] == client


async def test_a_mapped_address_of_a_trusted_proxy_is_trusted() -> None:
    assert (await seen("::ffff:10.1.2.3", FORWARDED))["client"] == ("203.0.113.9", 0)


async def test_a_scheme_that_is_none_is_ignored() -> None:
    assert (await seen("10.1.2.3", {"x-forwarded-proto": "gopher"}))["scheme"] == "http"
