"""Connections that can only lead to public addresses: the very address that was checked is dialled."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

import httpcore2

from server.fetching.addresses import Address, parse_address
from server.fetching.errors import FetchError, FetchProblem
from server.fetching.urls import UrlPolicy

MOST_ADDRESSES = 16
"""Addresses of one name that are looked at; a name with more is refused."""
MOST_TRIED = 3
"""Addresses of one name that are dialled, one after the other."""
CONNECT_S = 5.0


class Resolver(Protocol):
    """Names to addresses."""

    async def __call__(self, host: str, port: int) -> list[str]:
        """All addresses of a name; OSError where it has none."""
        ...


class SystemResolver:
    """The operating system's, on threads of its own: the event loop's are for those who must not wait."""

    def __init__(self, *, threads: int = 4) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolver")

    async def __call__(self, host: str, port: int) -> list[str]:
        """All addresses of a name."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [str(entry[4][0]) for entry in found]

    def close(self) -> None:
        """Take no more names."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """Resolves, refuses unless every address of the name is admitted, and dials the very address it has checked."""

    def __init__(
        self, policy: UrlPolicy, resolver: Resolver, inner: httpcore2.AsyncNetworkBackend | None = None
    ) -> None:
        self._policy = policy
        self._resolve = resolver
        self._inner = inner or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """See httpcore. Raises `FetchError` (unknown_host, not_public)."""
        failure: Exception | None = None
        for address in (await self._admitted(host, port))[:MOST_TRIED]:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout or CONNECT_S, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """There is no such URL."""
        raise httpcore2.ConnectError("no Unix sockets")

    async def sleep(self, seconds: float) -> None:
        """See httpcore."""
        await asyncio.sleep(seconds)

    async def _admitted(self, host: str, port: int) -> list[Address]:
        try:
            addresses = [parse_address(host)]
        except ValueError:
            addresses = await self._resolved(host, port)
        if not all(self._policy.admits(address) for address in addresses):
            raise FetchError(FetchProblem.NOT_PUBLIC, "The URL leads to an address that is not on the public Internet.")
        return addresses

    async def _resolved(self, host: str, port: int) -> list[Address]:
        try:
            found = list(dict.fromkeys(await self._resolve(host, port)))
            addresses = [parse_address(text) for text in found]
        except (OSError, UnicodeError, ValueError):
            addresses = []
        if not addresses or len(addresses) > MOST_ADDRESSES:
            raise FetchError(FetchProblem.UNKNOWN_HOST, "The URL's host name has no usable address.")
        return addresses
