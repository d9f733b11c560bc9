from __future__ import annotations

import asyncio
import gzip
import ssl
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from server.fetching import BlockingFetcher, Fetched, Fetcher, FetchError, FetchProblem, UrlPolicy
from tests.media.decoding.files import encoded, half_red, sound, video
from tests.server.fetching.hostile_urls import RESOLVING, hostile_urls
from tests.server.fetching.links import (
    PUBLIC,
    Handler,
    Names,
    Wires,
    answer,
    certificate,
    redirect,
    server,
    tripwire,
)  # fmt: skip

PICTURE = encoded(half_red(), "PNG")
LOCAL = UrlPolicy(allow_local=True)


def serving(*answers: bytes) -> Handler:
    """Gives these answers, one a connection, the last one again and again."""
    left = list(answers)

    async def handler(_path: str, _headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return handler


async def fetched(
    handler: Handler, *, max_bytes: int = 1 << 20, max_seconds: float = 5.0, **options: object
) -> Fetched:
    async with server(handler) as port:
        fetcher = Fetcher(LOCAL)
        try:
            return await fetcher.fetch(
                f"http://127.0.0.1:{port}/x",
                max_bytes=max_bytes,
                max_seconds=max_seconds,
                **options,  # type: ignore[arg-type]
            )
        finally:
            fetcher.close()


async def problem(handler: Handler, **options: object) -> FetchError:
    with pytest.raises(FetchError) as refused:
        await fetched(handler, **options)  # type: ignore[arg-type]
    return refused.value


async def test_what_a_url_names_is_told_by_its_content_and_not_by_its_header() -> None:
    got = await fetched(serving(answer(PICTURE, "Content-Type: text/html")), kinds=("image",))
    assert got.data == PICTURE
    assert (got.kind.mime, got.size) == ("image/png", len(PICTURE))


async def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "file"
    got = await fetched(serving(answer(PICTURE)), target=target)
    assert got.path == target
    assert target.read_bytes() == PICTURE
    target.unlink()
    await problem(serving(answer(bytes(500_000))), target=target, max_bytes=400_000)
    await problem(serving(answer(b"x" * 10_000)), target=target, kinds=("image",))
    assert list(tmp_path.iterdir()) == []


async def test_containers_that_do_not_say_what_they_hold_pass_as_sound_and_as_video() -> None:
    for kind in ("audio", "video"):
        for data in (video(frames=3), sound("webm", seconds=0.2)):
            assert (await fetched(serving(answer(data)), kinds=(kind,))).size == len(data)


@pytest.mark.parametrize(
    ("body", "kinds", "text"),
    [
        (b"<html>sign in</html>", ("image",), "leads to a web page, not to a picture"),
        (b"#EXTM3U\nhttp://127.0.0.1/\n", ("audio", "video"), "leads to a playlist, not to a sound file or a video"),
        (PICTURE, ("audio",), "leads to a PNG picture"),
        (sound(seconds=0.1), ("video",), "leads to a WAV audio file"),
        (b"<svg xmlns='x'/>", ("image",), "leads to an SVG drawing"),
        (PICTURE, ("text/html",), "not to text/html"),
    ],
)
async def test_the_wrong_kind_is_refused_by_name(body: bytes, kinds: tuple[str, ...], text: str) -> None:
    refused = await problem(serving(answer(body, "Content-Type: image/png")), kinds=kinds)
    assert refused.code is FetchProblem.WRONG_KIND
    assert text in refused.message


@pytest.mark.parametrize(
    "status", ["404 Not Found", "500 Oops", "204 No Content", "206 Partial Content", "304 Not Modified"]
)
async def test_any_status_but_success_is_refused(status: str) -> None:
    refused = await problem(serving(answer(b"", status=status)))
    assert refused.code is FetchProblem.REFUSED
    assert status[:3] in refused.message


async def test_an_answer_that_states_too_much_is_not_read() -> None:
    async def handler(_path: str, _headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n")
        await asyncio.sleep(60)

    assert (await problem(handler)).code is FetchProblem.TOO_LARGE


async def endless(_path: str, _headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + bytes(65_536) + b"\r\n")
        await writer.drain()


async def slow_loris(_path: str, _headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def slow_head(_path: str, _headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def endless_head(_path: str, _headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: " + b"y" * 1000 + b"\r\n")
        await writer.drain()


async def endless_hints(_path: str, _headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 100)
        await writer.drain()
        await asyncio.sleep(0)


async def silent(_path: str, _headers: dict[str, str], _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (endless, FetchProblem.TOO_LARGE),
        (slow_loris, FetchProblem.TIMEOUT),
        (slow_head, FetchProblem.TIMEOUT),
        (endless_head, FetchProblem.REFUSED),
        (endless_hints, FetchProblem.TIMEOUT),
        (silent, FetchProblem.TIMEOUT),
        (serving(b"SSH-2.0-OpenSSH_9.6\r\n"), FetchProblem.REFUSED),
        (serving(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), FetchProblem.REFUSED),
        (serving(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello"), FetchProblem.REFUSED),
        (serving(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), FetchProblem.REFUSED),
        (serving(b"HTTP/1.1 200 OK\r\nBad Header\0: x\r\n\r\n"), FetchProblem.REFUSED),
        (serving(b""), FetchProblem.REFUSED),
        (serving(answer(b"")), FetchProblem.REFUSED),
        (serving(answer(b"x", "Content-Encoding: br")), FetchProblem.REFUSED),
        (serving(answer(b"not gzip", "Content-Encoding: gzip")), FetchProblem.REFUSED),
        (serving(answer(gzip.compress(PICTURE)[:-20], "Content-Encoding: gzip")), FetchProblem.REFUSED),
        (serving(answer(gzip.compress(bytes(50 << 20)), "Content-Encoding: gzip")), FetchProblem.TOO_LARGE),
        (serving(answer(zlib.compress(bytes(50 << 20)), "Content-Encoding: deflate")), FetchProblem.TOO_LARGE),
        (serving(answer(gzip.compress(PICTURE), "Content-Encoding: gzip, gzip")), FetchProblem.REFUSED),
    ],
)
async def test_servers_that_misbehave_cost_next_to_nothing(handler: Handler, code: FetchProblem) -> None:
    refused = await problem(handler, max_seconds=1.0)
    assert refused.code is code
    assert "127.0.0.1" not in refused.message


async def test_a_packed_answer_is_unpacked_within_the_limit() -> None:
    packed = answer(gzip.compress(PICTURE), "Content-Encoding: gzip")
    assert (await fetched(serving(packed))).data == PICTURE
    large = bytes(900_000)
    assert (await fetched(serving(answer(zlib.compress(large), "Content-Encoding: deflate")))).data == large


async def test_nothing_listens() -> None:
    fetcher = Fetcher(LOCAL)
    async with server(silent) as port:
        pass
    with pytest.raises(FetchError) as refused:
        await fetcher.fetch(f"http://127.0.0.1:{port}/", max_bytes=1, max_seconds=5)
    fetcher.close()
    assert refused.value.code is FetchProblem.UNREACHABLE
    assert refused.value.retryable


async def test_no_cookies_no_credentials_and_no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []

    async def handler(path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        seen.append(headers)
        writer.write(
            answer(PICTURE) if path == "/two" else redirect("/two").replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n")
        )

    async with tripwire() as (port, hits):
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        await fetched(handler)
    assert not hits
    assert len(seen) == 2
    for headers in seen:
        assert set(headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


async def test_redirects_are_followed_five_times_and_no_more() -> None:
    assert (await fetched(serving(*[redirect("/again")] * 5, answer(PICTURE)))).data == PICTURE
    assert (await problem(serving(redirect("/again")))).code is FetchProblem.REDIRECTS
    assert (await problem(serving(answer(b"", status="302 Found")))).code is FetchProblem.REDIRECTS


# What follows happens in a little Internet of its own, where the policy is the one of production.


async def hostile(url: str, names: Names, wires: Wires, port: int) -> FetchError:
    fetcher = Fetcher(UrlPolicy(ports=frozenset({443, port})), resolver=names, network=wires, context=_TRUSTING)
    with pytest.raises(FetchError) as refused:
        await fetcher.fetch(url, max_bytes=1 << 20, max_seconds=5.0)
    with pytest.raises(FetchError) as refused_post:
        await fetcher.post(url, b"{}", {}, timeout_s=5.0)
    fetcher.close()
    assert refused_post.value.code is refused.value.code
    return refused.value


async def test_no_hostile_url_reaches_this_machine_by_fetch_or_post() -> None:
    resolving = {name: [answers] for name, answers in RESOLVING.items()}
    async with tripwire() as (port, hits):
        urls = hostile_urls(port)
        for url in urls:
            wires = Wires({})
            refused = await hostile(url, Names(resolving), wires, port)
            assert refused.code in (FetchProblem.INVALID_URL, FetchProblem.NOT_PUBLIC, FetchProblem.UNKNOWN_HOST), url
            assert not any(address in refused.message for address in ("127.0.0.1", "169.254", "10.0.0.1", "::1")), url
            assert not wires.dialled, url
        assert not hits
        _, writer = await asyncio.open_connection("127.0.0.1", port)  # the wire does trip
        writer.close()
        await asyncio.sleep(0.05)
        assert hits


async def test_no_redirect_reaches_this_machine(tmp_path: Path) -> None:
    tls, trusting = certificate(tmp_path, "public.example")
    async with tripwire() as (port, hits):
        names = {name: [answers] for name, answers in RESOLVING.items()} | {"public.example": [PUBLIC]}
        urls = [url for url in hostile_urls(port) if url.strip() and "{" not in url]
        policy = UrlPolicy(ports=frozenset({443, port}))
        location = ""

        async def handler(_path: str, _headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n")

        async with server(handler, tls=tls) as first:
            for location in urls:
                wires = Wires({PUBLIC: first})
                fetcher = Fetcher(policy, resolver=Names(names), network=wires, context=trusting)
                with pytest.raises(FetchError):
                    await fetcher.fetch("https://public.example/", max_bytes=1 << 20, max_seconds=5.0)
                fetcher.close()
                assert set(wires.dialled) == {PUBLIC}, location
        assert not hits


async def test_a_name_that_changes_its_address_after_the_check_gains_nothing(tmp_path: Path) -> None:
    tls, trusting = certificate(tmp_path, "rebind.example")
    async with tripwire() as (port, hits), server(serving(answer(PICTURE)), tls=tls) as first:
        names = Names({"rebind.example": [PUBLIC, "127.0.0.1"]})
        wires = Wires({PUBLIC: first})
        fetcher = Fetcher(UrlPolicy(ports=frozenset({port})), resolver=names, network=wires, context=trusting)
        url = f"https://rebind.example:{port}/"
        assert (await fetcher.fetch(url, max_bytes=1 << 20, max_seconds=5.0)).data == PICTURE
        assert names.asked == ["rebind.example"]  # once: what was checked was dialled
        with pytest.raises(FetchError) as refused:
            await fetcher.fetch(url, max_bytes=1 << 20, max_seconds=5.0)
        fetcher.close()
    assert refused.value.code is FetchProblem.NOT_PUBLIC
    assert wires.dialled == [PUBLIC]
    assert not hits


async def test_a_redirect_to_a_name_that_changed_meanwhile_gains_nothing(tmp_path: Path) -> None:
    tls, trusting = certificate(tmp_path, "rebind.example")
    async with tripwire() as (port, hits), server(serving(redirect("/again")), tls=tls) as first:
        wires = Wires({PUBLIC: first})
        names = Names({"rebind.example": [PUBLIC, "127.0.0.1"]})
        fetcher = Fetcher(UrlPolicy(ports=frozenset({port})), resolver=names, network=wires, context=trusting)
        with pytest.raises(FetchError):
            await fetcher.fetch(f"https://rebind.example:{port}/", max_bytes=1 << 20, max_seconds=5.0)
        fetcher.close()
    assert wires.dialled == [PUBLIC]
    assert not hits


async def test_the_name_and_not_the_address_is_what_the_certificate_must_be_for(tmp_path: Path) -> None:
    tls, trusting = certificate(tmp_path, "good.example")
    hosts: list[str] = []

    async def handler(_path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        hosts.append(headers["host"])
        writer.write(answer(PICTURE))

    async with server(handler, tls=tls) as port:
        names = Names({"good.example": [PUBLIC], "bad.example": [PUBLIC]})
        fetcher = Fetcher(resolver=names, network=Wires({PUBLIC: port}), context=trusting)
        await fetcher.fetch("https://good.example/", max_bytes=1 << 20, max_seconds=5.0)
        with pytest.raises(FetchError) as refused:
            await fetcher.fetch("https://bad.example/", max_bytes=1 << 20, max_seconds=5.0)
        fetcher.close()
    assert hosts == ["good.example"]
    assert refused.value.code is FetchProblem.UNREACHABLE


async def test_the_next_address_is_tried_where_the_first_does_not_answer(tmp_path: Path) -> None:
    tls, trusting = certificate(tmp_path, "good.example")
    async with server(serving(answer(PICTURE)), tls=tls) as port, server(silent) as closed:
        pass
    async with server(serving(answer(PICTURE)), tls=tls) as port:
        names = Names({"good.example": [["93.184.216.35", PUBLIC]]})
        wires = Wires({PUBLIC: port, "93.184.216.35": closed})
        fetcher = Fetcher(resolver=names, network=wires, context=trusting)
        assert (await fetcher.fetch("https://good.example/", max_bytes=1 << 20, max_seconds=5.0)).data == PICTURE
        fetcher.close()
    assert wires.dialled == ["93.184.216.35", PUBLIC]


async def test_a_post_sends_body_and_headers_and_gives_the_status() -> None:
    seen: list[dict[str, str]] = []

    async def handler(_path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        seen.append(headers)
        writer.write(answer(b"thanks", status="410 Gone"))

    async with server(handler) as port:
        fetcher = Fetcher(LOCAL)
        status = await fetcher.post(
            f"http://127.0.0.1:{port}/hook",
            b'{"a": 1}',
            {"webhook-id": "1", "Content-Type": "application/json"},
            timeout_s=5,
        )
        fetcher.close()
    assert status == 410
    assert seen[0][":body"] == '{"a": 1}'
    assert (seen[0]["webhook-id"], seen[0]["content-type"]) == ("1", "application/json")


async def test_a_post_follows_no_redirect() -> None:
    async with tripwire() as (tripped, hits), server(serving(redirect(f"http://127.0.0.1:{tripped}/"))) as port:
        fetcher = Fetcher(LOCAL)
        assert await fetcher.post(f"http://127.0.0.1:{port}/", b"", {}, timeout_s=5) == 302
        fetcher.close()
    assert not hits


@pytest.mark.parametrize(
    ("handler", "text"), [(silent, "longer than 0.3 seconds"), (slow_head, "longer than 0.3 seconds")]
)
async def test_a_post_that_is_not_answered_in_time_says_so(handler: Handler, text: str) -> None:
    async with server(handler) as port:
        fetcher = Fetcher(LOCAL)
        with pytest.raises(FetchError, match=text) as refused:
            await fetcher.post(f"http://127.0.0.1:{port}/", b"", {}, timeout_s=0.3)
        fetcher.close()
    assert refused.value.retryable


async def test_an_endless_answer_to_a_post_is_not_waited_for() -> None:
    async with server(endless) as port:
        fetcher = Fetcher(LOCAL)
        assert await fetcher.post(f"http://127.0.0.1:{port}/", b"", {}, timeout_s=5) == 200
        fetcher.close()


async def test_threads_can_fetch_and_post(tmp_path: Path) -> None:
    async with server(serving(answer(PICTURE))) as port:
        blocking = BlockingFetcher(Fetcher(LOCAL))
        url = f"http://127.0.0.1:{port}/"
        got = await asyncio.to_thread(blocking, url, tmp_path / "x", max_bytes=1 << 20)
        assert got.size == len(PICTURE)
        assert await asyncio.to_thread(blocking.post, url, b"x", {}, timeout_s=5) == 200


async def test_cancelling_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "file"
    fetcher = Fetcher(LOCAL)
    async with server(slow_loris) as port:
        task = asyncio.create_task(
            fetcher.fetch(f"http://127.0.0.1:{port}/", max_bytes=1 << 20, max_seconds=60, target=target)
        )
        await _until(lambda: any(tmp_path.iterdir()))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    fetcher.close()
    assert not any(tmp_path.iterdir())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


_TRUSTING = ssl.create_default_context()
_TRUSTING.check_hostname = False
_TRUSTING.verify_mode = ssl.CERT_NONE
