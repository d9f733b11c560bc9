"""The tools of one agent, ready to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx2

from agents.definition import AgentDefinition, HttpToolDefinition, TransferDefinition
from agents.llm.protocol import ToolSpec
from agents.tools.builtin import (
    CurrentTime,
    DoNotCall,
    EndTheCall,
    SendTheDigits,
    TransferTheCall,
    WaitForTheCaller,
)
from agents.tools.http import HttpTool
from agents.tools.tool import Tool

_CONNECTIONS = 20


class Toolbox(Mapping[str, Tool]):
    """An agent's tools by name, with one connection pool for those that are HTTP requests. Shared by its sessions."""

    def __init__(self, definition: AgentDefinition, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._client = httpx2.AsyncClient(
            transport=transport, follow_redirects=False, limits=httpx2.Limits(max_connections=_CONNECTIONS)
        )
        tools = [_build(entry, definition, self._client) for entry in definition.tools]
        self._tools = {tool.spec.name: tool for tool in tools}

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    @property
    def specs(self) -> list[ToolSpec]:
        """What the model is offered."""
        return [tool.spec for tool in self._tools.values()]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _build(
    entry: str | TransferDefinition | HttpToolDefinition, definition: AgentDefinition, client: httpx2.AsyncClient
) -> Tool:
    if isinstance(entry, TransferDefinition):
        return TransferTheCall(entry.transfer, warm=entry.warm)
    if isinstance(entry, HttpToolDefinition):
        return HttpTool(
            ToolSpec(entry.name, entry.description, entry.parameters),
            method=entry.method,
            url=entry.url,
            headers={name: value.get_secret_value() for name, value in entry.headers.items()},
            timeout=entry.timeout,
            safe=entry.safe,
            client=client,
        )
    builtin: dict[str, Tool] = {
        "end_call": EndTheCall(),
        "current_time": CurrentTime(definition.time_zone),
        "send_digits": SendTheDigits(),
        "wait": WaitForTheCaller(),
        "do_not_call": DoNotCall(),
    }
    return builtin[entry]
