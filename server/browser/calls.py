"""The sessions that browsers are in: each has one task that owns it from the join to the close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import structlog

from agents.link import Conversant
from server.browser.link import BrowserLink

log = structlog.get_logger(__name__)


async def converse(
    session: Conversant, link: BrowserLink, watch: Callable[[], Coroutine[None, None, str]], wind_up: float
) -> str:
    """Hold a conversation until either side ends it; returns why it ended.

    `watch` returns, with the reason, when the client is gone. `wind_up`: seconds that the session then gets to finish.
    """
    link.connect(session)
    async with asyncio.TaskGroup() as group:
        conversation = group.create_task(session.run())
        watching = group.create_task(watch())
        await asyncio.wait([conversation, watching], return_when=asyncio.FIRST_COMPLETED)
        reason = link.hung_up or "the conversation is over"
        if not conversation.done():
            reason = link.hung_up or (watching.result() if watching.done() else "gone")
            if link.hung_up is None:
                session.caller_left(reason)
            await asyncio.wait([conversation], timeout=wind_up)
        elif link.hung_up is None:
            link.hang_up(reason)
        conversation.cancel()
        watching.cancel()
    return reason


class Calls:
    """Owns the tasks of the sessions that no request carries."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._links: dict[str, BrowserLink] = {}
        self._waiting: set[str] = set()

    def __len__(self) -> int:
        return len(self._links)

    @property
    def joining(self) -> int:
        """Calls that are joined and have no session yet."""
        return len(self._waiting)

    def add(self, session_id: str, link: BrowserLink) -> None:
        """A call is being joined; it counts until `remove`."""
        self._links[session_id] = link
        self._waiting.add(session_id)

    def running(self, session_id: str) -> None:
        """The call has its session now, which is counted elsewhere."""
        self._waiting.discard(session_id)

    def remove(self, session_id: str) -> None:
        """The call is over."""
        self._links.pop(session_id, None)
        self._waiting.discard(session_id)

    def own(self, session_id: str, work: Coroutine[None, None, None]) -> None:
        """Run the call to its end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[session_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(session_id, None))

    def end(self, session_id: str, reason: str) -> None:
        """Let a call end, as if the caller had hung up."""
        link = self._links.get(session_id)
        if link is not None:
            link.leave(reason)

    async def ended(self, session_id: str) -> None:
        """Wait until a call that `own` runs is over."""
        task = self._tasks.get(session_id)
        if task is not None:
            await asyncio.wait([task])

    async def close(self) -> None:
        """End all calls at once; returns when nothing of them is left."""
        tasks = list(self._tasks.values())
        for link in list(self._links.values()):
            link.hang_up("the server is stopping")
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
