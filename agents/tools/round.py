"""One round of tool calls: side by side, bounded in time, and never ahead of the caller's confirmed turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

import structlog

from agents.llm.protocol import Message, ToolCall
from agents.pieces import Filler
from agents.tools.tool import Outcome, Tool, ToolError, parse_arguments

log = structlog.get_logger(__name__)

PATIENCE = 1.0
"""Seconds a caller waits for tools in silence."""


class ToolRound:
    """Runs the calls of one model answer. `outcomes` are complete, in the calls' order, once `run` is exhausted.

    Tools that are not safe wait for `committed`: a turn that may still be taken back must have no effects.
    """

    def __init__(self, calls: Sequence[ToolCall], tools: Mapping[str, Tool], committed: asyncio.Event) -> None:
        self.calls = tuple(calls)
        self.outcomes: list[Outcome] = []
        self._tools = tools
        self._committed = committed

    async def run(self, filler: Callable[[], str]) -> AsyncGenerator[Filler, None]:
        """Run all calls, covering a long wait with `filler()` ("" for silence). Closing it cancels the calls."""
        tasks = [asyncio.ensure_future(self._call(call)) for call in self.calls]
        impatience = asyncio.ensure_future(self._wait_in_silence())
        waiting: set[asyncio.Future[Outcome] | asyncio.Future[None]] = {*tasks, impatience}
        try:
            while any(not task.done() for task in tasks):
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if impatience in done and any(not task.done() for task in tasks) and (text := filler()):
                    yield Filler(text)
            self.outcomes = [task.result() for task in tasks]
        finally:
            for task in (*tasks, impatience):
                task.cancel()
            await asyncio.gather(*tasks, impatience, return_exceptions=True)

    def messages(self) -> list[Message]:
        """The results as the model is told them."""
        return [
            Message("tool", outcome.text, tool_call_id=call.id)
            for call, outcome in zip(self.calls, self.outcomes, strict=True)
        ]

    async def _wait_in_silence(self) -> None:
        await self._committed.wait()
        await asyncio.sleep(PATIENCE)

    async def _call(self, call: ToolCall) -> Outcome:
        tool = self._tools.get(call.name)
        if tool is None:
            return Outcome(f"Error: there is no tool {call.name}; there are: {', '.join(self._tools) or 'none'}")
        try:
            arguments = parse_arguments(tool.spec, call.arguments)
            if not tool.safe:
                await self._committed.wait()
            async with asyncio.timeout(tool.timeout):
                return await tool.run(arguments)
        except ToolError as error:
            reason = str(error)
        except TimeoutError:
            reason = "it did not answer in time"
        except Exception:  # a defect in a tool must not end the conversation
            log.exception("tool failed", tool=call.name)
            reason = "it failed"
        log.warning("tool error", tool=call.name, reason=reason)
        return Outcome(f"Error: {reason}")
