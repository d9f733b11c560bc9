"""What makes a job's output: the handler, what it is given, and what it gives back.

A handler is `def run(context: JobContext, payload: Mapping[str, Any]) -> JobResult`, or the same with `async`. It runs
in a worker process, on a thread of its own, and may run again from its start when the worker dies: what it puts into
storage is written under a temporary key and renamed, and what is dear to compute twice goes through
`context.checkpoint`. It calls `context.phase`, `context.check` or `context.yield_to_calls` at least once a second, for
these are the points at which a cancelled, late or released job ends.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

T = TypeVar("T")
Handler = Callable[["JobContext", Mapping[str, Any]], Any]
"""Returns a `JobResult`, or an awaitable of one."""

FAILED_TEXT = "Generation failed"
REPORT_S = 0.25
"""Progress within a phase is written at most this often."""


class Queue(StrEnum):
    """Where a kind of job waits: each worker takes so many of each at once."""

    CPU = "cpu"
    GPU = "gpu"


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job. `handler` is `package.module:function`, imported by workers alone.

    `time_limit_s` is what one attempt may take, the pauses for calls not counted.
    """

    name: str
    handler: str
    queue: Queue = Queue.CPU
    time_limit_s: float = 1800.0

    def load(self) -> Handler:
        """Import the handler."""
        return cast(Handler, imported(self.handler))


def imported(path: str) -> Any:
    """What `package.module:name` names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


Kinds = Mapping[str, JobKind]


def kinds_of(kinds: Iterable[JobKind]) -> Kinds:
    """The kinds by name."""
    return {kind.name: kind for kind in kinds}


class JobFailed(Exception):
    """The job cannot be done and trying again is of no use. The text is for the user; `code` for their program."""

    def __init__(self, message: str = FAILED_TEXT, code: str = "FAILED") -> None:
        super().__init__(message)
        self.code = code


class Interruption(StrEnum):
    """Why a handler has to end before it is done."""

    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    TIME_LIMIT = "time limit"
    STOPPING = "stopping"


class JobInterrupted(BaseException):
    """Ends a handler from within its next check. Not an `Exception`: no handler means to catch it."""

    def __init__(self, why: Interruption) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in storage."""

    key: str
    media_type: str


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came of a job: the files, the main one first, and what the family's metadata say of them.

    `amount` is what it really cost in credits; None: its price.
    """

    outputs: tuple[StoredFile, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    amount: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As the job's row keeps it."""
        files = [{"key": file.key, "mediaType": file.media_type} for file in self.outputs]
        return {"outputs": files, "metadata": dict(self.metadata)}


class Files(Protocol):
    """Where outputs go."""

    def put(self, key: str, source: Path, *, media_type: str, account_id: str) -> object:
        """Store the file under a temporary name, then give it its own: it is there whole, or not."""
        ...

    def delete(self, key: str) -> object:
        """Remove it; one that is not there is no error."""
        ...

    def sign(self, key: str) -> str:
        """A URL for it that expires."""
        ...

    def sweep(self) -> int:
        """Remove what has been kept long enough and what crashes left behind; returns how many files."""
        ...


class Fetch(Protocol):
    """The guarded way to get what a user's URL names."""

    def __call__(self, url: str, target: Path, *, max_bytes: int) -> object:
        """Fetch `url` into the file `target`; raises where it may not or cannot be had."""
        ...


class Reports(Protocol):
    """How a context tells its job's row what goes on. Each is False, or None, once the job is another's."""

    def report(self, phase: str, progress: float) -> bool:
        """Where the job stands."""
        ...

    def keep(self, name: str, value: Any) -> bool:
        """A checkpoint."""
        ...


class Calls(Protocol):
    """Whether live conversations need the machine."""

    def pressed(self) -> bool:
        """They do, now."""
        ...


class Shared:
    """What a worker's jobs share while it lives, by name: models, voices. Made once, by whoever asks first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}

    def get(self, name: str, make: Callable[[], T]) -> T:
        """What `make` returned the first time."""
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            return cast(T, self._made[name])


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers may use. `settings` are the server's."""

    settings: Any
    files: Files
    fetch: Fetch
    calls: Calls
    shared: Shared = field(default_factory=Shared)


class JobContext:
    """What a handler knows of its job and does for it. Its methods may be called from any thread."""

    def __init__(
        self,
        *,
        job_id: str,
        account_id: str,
        family: str,
        kind: JobKind,
        attempt: int,
        work_dir: Path,
        services: Services,
        checkpoints: Mapping[str, Any],
        reports: Reports,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.job_id = job_id
        self.account_id = account_id
        self.family = family
        self.kind = kind
        self.attempt = attempt
        self.work_dir = work_dir
        self.services = services
        self._checkpoints = dict(checkpoints)
        self._reports = reports
        self._clock = clock
        self._sleep = sleep
        self._deadline = clock() + kind.time_limit_s
        self._why: Interruption | None = None
        self.on_interrupt: Callable[[], object] = lambda: None
        self._phase = ""
        self._reported = float("-inf")

    @property
    def fetch(self) -> Fetch:
        """The guarded way to get what a user's URL names."""
        return self.services.fetch

    @property
    def cancelled(self) -> bool:
        """It is to end: by its owner, its time limit, or because the worker stops."""
        return self._why is not None

    @property
    def interruption(self) -> Interruption | None:
        """Why it is to end."""
        return self._why

    def interrupt(self, why: Interruption) -> None:
        """End the handler at its next check; the first reason counts."""
        if self._why is None:
            self._why = why
            self.on_interrupt()

    def late_by(self) -> float:
        """Seconds since the time limit; negative before it."""
        return self._clock() - self._deadline

    def check(self) -> None:
        """Go on, or raise `JobInterrupted`."""
        if self._why is None and self.late_by() > 0:
            self.interrupt(Interruption.TIME_LIMIT)
        if self._why is not None:
            raise JobInterrupted(self._why)

    def phase(self, name: str, progress: float = 0.0) -> None:
        """Tell how far it is: the phase's name and its share done, 0–1. Cheap: not each call is written."""
        self.check()
        now = self._clock()
        if name == self._phase and progress < 1 and now - self._reported < REPORT_S:
            return
        self._phase, self._reported = name, now
        if not self._reports.report(name, min(1.0, max(0.0, progress))):
            self.interrupt(Interruption.SUPERSEDED)
            self.check()

    def yield_to_calls(self, at_most_s: float = 5.0) -> None:
        """Wait while live conversations need the machine, not longer than so long; the time limit waits too."""
        began = self._clock()
        while self.services.calls.pressed() and self._clock() - began < at_most_s:
            self.check()
            self._sleep(0.05)
        self._deadline += self._clock() - began
        self.check()

    def checkpoint(self, name: str, compute: Callable[[], T]) -> T:
        """What `compute` (JSON) returned in this attempt or an earlier one; it runs again only if it never finished."""
        if name not in self._checkpoints:
            value = compute()
            self.check()
            if not self._reports.keep(name, value):
                self.interrupt(Interruption.SUPERSEDED)
                self.check()
            self._checkpoints[name] = value
        return cast(T, self._checkpoints[name])

    def kept(self, name: str) -> Any:
        """The checkpoint of this name, None where there is none: before computing with `await` what is kept then."""
        return self._checkpoints.get(name)

    def put(self, key: str, source: Path, media_type: str) -> StoredFile:
        """Put a file into storage, whole or not at all."""
        self.check()
        self.services.files.put(key, source, media_type=media_type, account_id=self.account_id)
        return StoredFile(key, media_type)
