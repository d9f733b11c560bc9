"""HTTP tools, on a transport in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.protocol import ToolSpec
from agents.tools.http import HttpTool, check_url
from agents.tools.tool import ToolError

Handler = Callable[[httpx2.Request], httpx2.Response]
SECRET = "Bearer t0p-secret"


def tool(handler: Handler, url: str = "https://api.example.com/bookings/{id}", method: str = "GET") -> HttpTool:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    spec = ToolSpec("booking", "A booking.")
    headers = {"Authorization": SECRET}
    return HttpTool(spec, method=method, url=url, headers=headers, timeout=1, safe=True, client=client)


def answers(status: int = 200, **content: Any) -> Handler:
    return lambda request: httpx2.Response(status, **content)


async def test_arguments_go_into_the_path_and_the_rest_into_the_query() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"guests": 4, "name": "Müller"})

    outcome = await tool(handler).run({"id": "A/1 ?x", "day": "monday", "seats": 4, "none": None})
    assert outcome.text == '{"guests":4,"name":"Müller"}'
    assert str(seen[0].url) == "https://api.example.com/bookings/A%2F1%20%3Fx?day=monday&seats=4"
    assert seen[0].headers["authorization"] == SECRET


async def test_a_post_carries_the_arguments_as_json() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(201, text="")

    outcome = await tool(handler, "https://api.example.com/bookings", "POST").run({"name": "Anna"})
    assert json.loads(seen[0].content) == {"name": "Anna"}
    assert outcome.text == "done, without an answer"


@given(st.text(max_size=40))
async def test_no_argument_can_leave_its_place_in_the_path(value: str) -> None:
    seen: list[httpx2.URL] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url)
        return httpx2.Response(200, text="ok")

    try:
        await tool(handler, "https://api.example.com/bookings/{id}/notes").run({"id": value})
    except ToolError:
        assert not seen
    else:
        path = seen[0].raw_path.decode()
        assert seen[0].host == "api.example.com"
        assert path.startswith("/bookings/")
        assert path.endswith("/notes")
        assert path.count("/") == 3
        assert "?" not in path


@pytest.mark.parametrize("value", ["..", ".", "a\nb", ""])
async def test_values_that_would_climb_the_path_are_refused(value: str) -> None:
    with pytest.raises(ToolError, match="cannot be"):
        await tool(answers(text="ok")).run({"id": value})


async def test_an_error_answer_is_told_without_the_secret() -> None:
    with pytest.raises(ToolError, match="HTTP 404: no such booking") as caught:
        await tool(answers(404, text="no such\n booking")).run({"id": "1"})
    assert SECRET not in str(caught.value)


async def test_a_long_answer_is_cut_and_a_huge_one_refused() -> None:
    outcome = await tool(answers(text="x" * 9000)).run({"id": "1"})
    assert len(outcome.text) < 4100
    assert outcome.text.endswith("(cut)")
    with pytest.raises(ToolError, match="more than 256 KiB"):
        await tool(answers(text="x" * 300_000)).run({"id": "1"})


async def test_json_that_is_none_is_an_error() -> None:
    with pytest.raises(ToolError, match="cannot be read"):
        await tool(answers(content=b"{", headers={"content-type": "application/json"})).run({"id": "1"})


def redirect(location: str) -> Handler:
    return lambda request: (
        httpx2.Response(200, text="there")
        if request.url.path == "/new"
        else httpx2.Response(302, headers={"location": location})
    )


async def test_redirects_are_followed_on_the_same_host_only() -> None:
    assert (await tool(redirect("/new")).run({"id": "1"})).text == "there"
    for elsewhere in ("https://evil.example/new", "http://api.example.com/new", "//evil.example/new"):
        with pytest.raises(ToolError, match="another host"):
            await tool(redirect(elsewhere)).run({"id": "1"})
    with pytest.raises(ToolError, match="circles"):
        await tool(redirect("/old")).run({"id": "1"})
    with pytest.raises(ToolError, match="changes things"):
        await tool(redirect("/new"), method="POST").run({"id": "1"})


async def test_a_service_that_is_away_is_told_so() -> None:
    def unreachable(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    def slow(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("slow")

    with pytest.raises(ToolError, match="cannot be reached"):
        await tool(unreachable).run({"id": "1"})
    with pytest.raises(ToolError, match="in time"):
        await tool(slow).run({"id": "1"})


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "https://{host}/x", "https:///x", "https://user:pw@example.com/", "/x", "https://a{b}.com/"]
)
def test_urls_need_a_fixed_host(url: str) -> None:
    with pytest.raises(ValueError, match=r"must begin|fixed host"):
        check_url(url)
