"""Rate limits: a quota for each day and a window for each kind of request, counted for each account.

The counts are kept by the `limits` library: in Redis where several processes share them, else in this process. A count
is read from the same atomic step that raises it, so exactly as many requests are admitted as the limit says, however
many come at once. A window begins with its first request; days are those of UTC.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import structlog
from limits.aio.storage import RedisStorage, Storage
from limits.errors import StorageError
from redis.asyncio import BlockingConnectionPool
from redis.exceptions import RedisError

from server.settings.platform import LimitSettings, PlansSettings, parse_window

DAY: Final = 86_400
REDIS_TIMEOUT_S = 1.0
REDIS_CONNECTIONS: Final = 32
REDIS_PAUSE_S: Final = 5.0
"""After it has failed, Redis is left alone for so long; meanwhile this process counts by itself."""

LimitClass = Literal["generate", "read", "write", "upload", "delete", "call", "console"]
"""The windows. `console` is the settings' own, the others are the plan's."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is admitted, and the limit that binds it, which begins anew at `end` (Unix seconds)."""

    admitted: bool
    limit: int
    remaining: int
    end: float

    def headers(self, now: float) -> dict[str, str]:
        """What the client is told."""
        told = {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(math.ceil(self.end)),
        }
        return told if self.admitted else {**told, "retry-after": str(max(1, math.ceil(self.end - now)))}


class LocalStorage(Storage):
    """Counts in this process. The library's own looks at every key for every request; this one at those that ended."""

    STORAGE_SCHEME = ["async+visavis-local"]  # noqa: RUF012 - so it is declared in the library

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}
        self._ends: list[tuple[float, str]] = []

    @property
    def base_exceptions(self) -> type[Exception]:
        """None of its own."""
        return StorageError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Raise a count, which begins with this if it has ended; returns it."""
        now = self._clock()
        self._expire(now)
        count, end = self._counts.get(key, (0, now + expiry))
        if not count:
            heapq.heappush(self._ends, (end, key))
        self._counts[key] = (count + amount, end)
        return count + amount

    async def get(self, key: str) -> int:
        """A count."""
        self._expire(self._clock())
        return self._counts.get(key, (0, 0.0))[0]

    async def get_expiry(self, key: str) -> float:
        """When a count ends, in Unix seconds."""
        return self._counts.get(key, (0, self._clock()))[1]

    async def check(self) -> bool:
        """Memory is always there."""
        return True

    async def reset(self) -> int | None:
        """Forget all counts."""
        forgotten = len(self._counts)
        self._counts.clear()
        self._ends.clear()
        return forgotten

    async def clear(self, key: str) -> None:
        """Forget a count."""
        if key in self._counts:
            end = self._counts.pop(key)[1]
            self._ends.remove((end, key))
            heapq.heapify(self._ends)

    def _expire(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            del self._counts[heapq.heappop(self._ends)[1]]


class Subject(Protocol):
    """Whose requests are counted: an account's id and plan."""

    @property
    def id(self) -> str:
        """Of the account."""
        ...

    @property
    def plan(self) -> str:
        """Its plan, by name."""
        ...


class Admits(Protocol):
    """What the gate needs of a limiter."""

    enabled: bool

    async def admit(self, account: Subject, kind: LimitClass) -> Verdict:
        """Count a request of an account."""
        ...

    async def admit_stranger(self, address: str) -> Verdict:
        """Count a request that has no valid key."""
        ...

    async def close(self) -> None:
        """Let go of what is outside of this process."""
        ...


class Limiter:
    """Admits requests. `clock` gives Unix seconds. Await `close` at the end."""

    def __init__(
        self, settings: LimitSettings, plans: PlansSettings, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.enabled = settings.enabled
        self._settings = settings
        self._plans = plans
        self._clock = clock
        self._local = LocalStorage(clock)
        self._shared: RedisStorage | None = None
        self._pool: BlockingConnectionPool | None = None
        self._shared_after = 0.0
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
            self._pool = BlockingConnectionPool.from_url(
                url,
                max_connections=REDIS_CONNECTIONS,
                timeout=REDIS_TIMEOUT_S,
                socket_timeout=REDIS_TIMEOUT_S,
                socket_connect_timeout=REDIS_TIMEOUT_S,
            )
            self._shared = RedisStorage(
                "async+" + url,
                implementation="redispy",
                key_prefix="visavis",
                connection_pool=self._pool,  # type: ignore[arg-type]  # as its documentation says
            )

    async def close(self) -> None:
        """Let go of Redis."""
        if self._pool is not None:
            await self._pool.aclose()

    async def admit(self, account: Subject, kind: LimitClass) -> Verdict:
        """Count a request of an account. One that its window refuses does not count against the day."""
        if kind == "console":
            return await self._count(f"console:{account.id}", *parse_window(self._settings.console))
        plan = self._plans.of(account.plan)
        window = await self._count(f"{kind}:{account.id}", *parse_window(getattr(plan, kind)))
        if not window.admitted:
            return window
        day = await self._count_day(account.id, plan.requests_per_day)
        return day if not day.admitted or day.remaining < window.remaining else window

    async def admit_stranger(self, address: str) -> Verdict:
        """Count a request that has no valid key; those of an address share a window."""
        return await self._count(f"address:{address}", *parse_window(self._settings.anonymous))

    async def _count(self, key: str, limit: int, seconds: int) -> Verdict:
        count, end = await self._increment(key, seconds)
        return Verdict(count <= limit, limit, max(0, limit - count), end)

    async def _count_day(self, account_id: str, limit: int) -> Verdict:
        today = int(self._clock()) // DAY
        count, _ = await self._increment(f"day:{today}:{account_id}", DAY)
        return Verdict(count <= limit, limit, max(0, limit - count), (today + 1) * DAY)

    async def _increment(self, key: str, seconds: int) -> tuple[int, float]:
        """The count after this request, and when it ends."""
        now = self._clock()
        if self._shared is not None and now >= self._shared_after:
            try:
                return await self._shared.incr(key, seconds), await self._shared.get_expiry(key)
            except (RedisError, StorageError, OSError) as error:
                self._shared_after = now + REDIS_PAUSE_S
                log.warning("Redis does not count: this process does for now", error=type(error).__name__)
        return await self._local.incr(key, seconds), await self._local.get_expiry(key)
