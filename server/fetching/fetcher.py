"""The one way to get what a user's URL names, and to post to one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import httpcore2
from anyio import to_thread

from media.decoding.kinds import HEAD_BYTES, Kind, sniff
from server.fetching.body import bounded, too_large
from server.fetching.errors import FetchError, FetchProblem
from server.fetching.network import GuardedNetwork, Resolver, SystemResolver
from server.fetching.urls import Target, UrlPolicy, check_url, follow

MAX_REDIRECTS: Final = 5
USER_AGENT: Final = b"Visavis/0.1"

_PAUSE_S = 15.0  # no piece of an answer may take longer than this
_MOST_ANSWER_TO_POST = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_HOLDS_SOUND = ("mov", "matroska", "ogg")  # containers that say nothing of what they hold


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL named. `kind` is told by its content alone; `data` where no `target` was given, else `path`."""

    kind: Kind
    size: int
    url: str
    data: bytes | None = None
    path: Path | None = None


class OwnFiles(Protocol):
    """Files that this server stores. `server.storage.OwnFiles` implements it."""

    def open(self, url: str) -> Iterator[bytes] | None:
        """What a signed URL names, in pieces; blocks. None where it has expired, or there is no such file."""
        ...


class Fetcher:
    """Fetches and posts with all guards on: each request, and each redirect, on a connection of its own.

    No cookies, no proxies, no credentials, no keep-alive. `own` opens URLs of this server's own files (those that begin
    with `policy.own`) without any network. `network` and `context` (TLS) are for tests.
    """

    def __init__(
        self,
        policy: UrlPolicy | None = None,
        *,
        own: OwnFiles | None = None,
        resolver: Resolver | None = None,
        network: httpcore2.AsyncNetworkBackend | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.policy = policy or UrlPolicy()
        self._own = own
        self._foreign = replace(self.policy, own="")  # nobody else may lead to what is ours
        self._own_resolver = SystemResolver() if resolver is None else None
        self._network = GuardedNetwork(self.policy, resolver or self._own_resolver or SystemResolver(), network)
        self._context = context or httpcore2.default_ssl_context()

    async def fetch(
        self,
        url: str,
        *,
        max_bytes: int,
        max_seconds: float,
        kinds: Collection[str] = (),
        target: Path | None = None,
    ) -> Fetched:
        """What the URL names, into memory, or into the file `target`, which is there whole or not at all.

        `kinds` are those accepted: image, audio, video, or MIME types; none: any. Told by the content's beginning.
        Raises `FetchError`; `max_seconds` includes everything, from the name's resolution to the last byte.
        """
        current = check_url(url, self.policy)
        async with _in_time(max_seconds):
            if self.policy.is_own(url):
                return await _read(_own_pieces(self._own, url), current, max_bytes, kinds, target)
            for _ in range(MAX_REDIRECTS + 1):
                async with self._answer("GET", current) as answer:
                    if answer.status in _REDIRECTS:
                        current = follow(current, _header(answer, b"location"), self._foreign)
                        continue
                    _check_status(answer)
                    stated = _header(answer, b"content-length")
                    if stated.isascii() and stated.isdigit() and int(stated[:20]) > max_bytes:
                        raise too_large(max_bytes)
                    pieces = bounded(_pieces(answer), _header(answer, b"content-encoding"), max_bytes)
                    return await _read(pieces, current, max_bytes, kinds, target)
        raise FetchError(FetchProblem.REDIRECTS, "The server redirects too often.")

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> int:
        """Post to a user's URL; the answer's status, whatever it is. No redirect is followed. Raises `FetchError`."""
        target = check_url(url, self._foreign)
        async with _in_time(timeout_s), self._answer("POST", target, body, headers) as answer:
            size = 0
            async for piece in _pieces(answer):  # one cut off in its answer may take that for a failure
                size += len(piece)
                if size > _MOST_ANSWER_TO_POST:
                    break
            return answer.status

    def close(self) -> None:
        """Stop resolving names."""
        if self._own_resolver is not None:
            self._own_resolver.close()

    @contextlib.asynccontextmanager
    async def _answer(
        self, method: str, target: Target, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpcore2.Response]:
        sent = {
            b"Host": target.origin.partition("://")[2].encode(),
            b"User-Agent": USER_AGENT,
            b"Accept": b"*/*",
            b"Accept-Encoding": b"identity",
            b"Connection": b"close",
        }
        if body is not None:
            sent |= {name.encode("latin-1"): value.encode("latin-1") for name, value in (headers or {}).items()}
            sent[b"Content-Length"] = str(len(body)).encode()
        url = httpcore2.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        pause = dict.fromkeys(("connect", "read", "write", "pool"), _PAUSE_S)
        async with httpcore2.AsyncConnectionPool(
            ssl_context=self._context, network_backend=self._network, max_keepalive_connections=0
        ) as pool:
            stream = pool.stream(method, url, headers=list(sent.items()), content=body, extensions={"timeout": pause})
            async with contextlib.AsyncExitStack() as stack:
                with _translated():
                    answer = await stack.enter_async_context(stream)
                yield answer


async def _read(
    pieces: AsyncGenerator[bytes], source: Target, max_bytes: int, kinds: Collection[str], target: Path | None
) -> Fetched:
    pieces = bounded(pieces, "", max_bytes)
    async with contextlib.aclosing(pieces):
        if target is None:
            data = bytearray()
            kind = await _copy(pieces, data.extend, kinds)
            return Fetched(kind, len(data), source.url, data=bytes(data))
        with _whole_or_nothing(target) as file:
            kind = await _copy(pieces, file.write, kinds)
            size = file.tell()
        return Fetched(kind, size, source.url, path=target)


async def _own_pieces(own: OwnFiles | None, url: str) -> AsyncGenerator[bytes]:
    opened = await to_thread.run_sync(own.open, url) if own is not None else None
    if opened is None:
        raise FetchError(FetchProblem.REFUSED, "The URL has expired, or its file was deleted.")
    while (piece := await to_thread.run_sync(next, opened, None)) is not None:
        yield piece


async def _pieces(answer: httpcore2.Response) -> AsyncGenerator[bytes]:
    with _translated():
        async for piece in answer.aiter_stream():
            yield piece


async def _copy(pieces: AsyncIterator[bytes], write: Callable[[bytes], object], kinds: Collection[str]) -> Kind:
    """Copy the body; its kind is judged as soon as enough of it is there. Raises `FetchError` (wrong_kind)."""
    head = bytearray()
    kind: Kind | None = None
    async for piece in pieces:
        write(piece)
        if kind is None:
            head += piece[:HEAD_BYTES]
            kind = _judged(bytes(head), kinds) if len(head) >= HEAD_BYTES else None
    if kind is None and not head:
        raise FetchError(FetchProblem.REFUSED, "The server's answer is empty.")
    return kind or _judged(bytes(head), kinds)


def _judged(head: bytes, kinds: Collection[str]) -> Kind:
    kind = sniff(head)
    holds_sound = "audio" in kinds and kind.decoder in _HOLDS_SOUND
    holds_video = "video" in kinds and kind.decoder in _HOLDS_SOUND
    if kinds and kind.kind not in kinds and kind.mime not in kinds and not holds_sound and not holds_video:
        raise FetchError(FetchProblem.WRONG_KIND, f"The URL leads to {kind.phrase}, not to {_listed(kinds)}.")
    return kind


def _listed(kinds: Collection[str]) -> str:
    words = [{"image": "a picture", "audio": "a sound file", "video": "a video"}.get(kind, kind) for kind in kinds]
    return " or ".join(words)


@contextlib.contextmanager
def _whole_or_nothing(target: Path) -> Iterator[BinaryIO]:
    part = target.with_name(f".{target.name}.{os.urandom(6).hex()}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _check_status(answer: httpcore2.Response) -> None:
    if answer.status not in (200, 203):
        raise FetchError(FetchProblem.REFUSED, f"The server answered {answer.status}.")


def _header(answer: httpcore2.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in answer.headers if key.lower() == name), "")


@contextlib.asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise FetchError(FetchProblem.TIMEOUT, f"The server took longer than {seconds:g} seconds.") from None


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """The library's errors as ours: nothing of how far a connection got."""
    try:
        yield
    except httpcore2.TimeoutException:
        raise FetchError(FetchProblem.TIMEOUT, "The server does not answer.") from None
    except ssl.SSLError:
        raise FetchError(FetchProblem.UNREACHABLE, "No secure connection to the server can be made.") from None
    except (httpcore2.NetworkError, OSError):
        raise FetchError(FetchProblem.UNREACHABLE, "The server cannot be reached.") from None
    except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol, ValueError):
        raise FetchError(FetchProblem.REFUSED, "The server does not speak HTTP properly.") from None
