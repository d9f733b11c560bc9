"""Tools that are HTTP requests, declared in the agent's YAML.

The operator writes the URL, the model only fills in values: they are percent-encoded where they stand in the
path and cannot change the host. Redirects are followed only within it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from agents.llm.protocol import ToolSpec
from agents.tools.tool import Outcome, ToolError

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_BODYLESS = frozenset({"GET", "HEAD", "DELETE"})
_BYTES_MAX = 256 * 1024
_TEXT_MAX = 4000
"""Characters of a response that the model is given: about a thousand tokens."""
_ERROR_MAX = 200
_REDIRECTS_MAX = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SUCCESS = range(200, 300)


class HttpTool:
    """One HTTP request with the model's arguments in its path, and the rest as query (GET) or JSON body."""

    def __init__(
        self,
        spec: ToolSpec,
        *,
        method: str,
        url: str,
        headers: Mapping[str, str],
        timeout: float,
        safe: bool,
        client: httpx2.AsyncClient,
    ) -> None:
        self.spec = spec
        self.safe = safe
        self.timeout = timeout
        self._method = method.upper()
        self._url = url
        self._headers = dict(headers)
        self._client = client

    async def run(self, arguments: Mapping[str, Any]) -> Outcome:
        """Send the request; the response's text, JSON compacted, is the outcome. Raises `ToolError`."""
        url, rest = self._fill(arguments)
        options: dict[str, Any] = {"params": _query(rest)} if self._method in _BODYLESS else {"json": rest}
        method = self._method
        try:
            for _ in range(1 + _REDIRECTS_MAX):
                request = self._client.build_request(
                    method, url, headers=self._headers, timeout=self.timeout, **options
                )
                response = await self._client.send(request, stream=True)
                try:
                    if response.status_code in _REDIRECTS and "location" in response.headers:
                        url, method = self._redirected(response, method)
                        options = {}
                        continue
                    return Outcome(await _result(response))
                finally:
                    await response.aclose()
        except httpx2.TimeoutException as error:
            raise ToolError("the service did not answer in time") from error
        except httpx2.HTTPError as error:
            raise ToolError(f"the service cannot be reached ({type(error).__name__})") from error
        raise ToolError("the service redirects in circles")

    def _fill(self, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The URL with its values in place, and the arguments it did not take."""
        rest = dict(arguments)

        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            if name not in arguments:
                raise ToolError(f"{name} is missing")
            rest.pop(name, None)
            text = _plain(arguments[name])
            if (
                not text.strip(".") or not text.isprintable()
            ):  # "..", which would climb the path, and control characters
                raise ToolError(f"{name} cannot be {text!r}")
            return quote(text, safe="")

        return PLACEHOLDER.sub(value, self._url), rest

    def _redirected(self, response: httpx2.Response, method: str) -> tuple[str, str]:
        old, new = response.url, response.url.join(response.headers["location"])
        if (new.scheme, new.host, new.port) != (old.scheme, old.host, old.port):
            raise ToolError("the service redirects to another host, which is not followed")
        if method not in ("GET", "HEAD"):
            raise ToolError("the service redirects a request that changes things, which is not followed")
        return str(new), method


def check_url(url: str) -> None:
    """Raise ValueError unless `url` is http(s) with a fixed host and its placeholders after it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    if not parts.hostname or PLACEHOLDER.search(parts.netloc) or "@" in parts.netloc:
        raise ValueError(
            "needs a fixed host: {placeholders} may stand in the path and the query only, credentials nowhere"
        )


async def _result(response: httpx2.Response) -> str:
    content = bytearray()
    async for block in response.aiter_bytes():
        content += block
        if len(content) > _BYTES_MAX:
            raise ToolError(f"the service sent more than {_BYTES_MAX // 1024} KiB")
    text = content.decode(response.encoding or "utf-8", errors="replace")
    if response.status_code not in _SUCCESS:
        raise ToolError(f"the service answered HTTP {response.status_code}: {' '.join(text.split())[:_ERROR_MAX]}")
    if "json" in response.headers.get("content-type", ""):
        try:
            text = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
        except ValueError as error:
            raise ToolError("the service sent JSON that cannot be read") from error
    text = text.strip()
    return f"{text[:_TEXT_MAX]} … (cut)" if len(text) > _TEXT_MAX else text or "done, without an answer"


def _query(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {name: _plain(value) for name, value in arguments.items() if value is not None}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
