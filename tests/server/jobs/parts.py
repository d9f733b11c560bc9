"""What a worker of the tests is made of: handlers that do something real in little time, files in a folder, a plain
HTTP client for webhooks. Run as a module it is such a worker."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from server.commands.common import settings_from_environment
from server.jobs.handlers import JobContext, JobFailed, JobKind, JobResult, Queue, Services, StoredFile, kinds_of
from server.jobs.load import LoadFile
from server.jobs.worker import WorkerParts, run_worker
from server.logs import configure_logs
from server.settings import Settings
from server.webhooks.sender import Post, PostFailed

HERE = "tests.server.jobs.parts"
KINDS = kinds_of(
    [
        JobKind("count", f"{HERE}:count", time_limit_s=60),
        JobKind("later", f"{HERE}:later", time_limit_s=60),
        JobKind("fails", f"{HERE}:fails"),
        JobKind("breaks", f"{HERE}:breaks"),
        JobKind("dies", f"{HERE}:dies"),
        JobKind("sticks", f"{HERE}:sticks", time_limit_s=0.3),
        JobKind("slow", f"{HERE}:count", time_limit_s=0.5),
        JobKind("drawn", f"{HERE}:count", queue=Queue.GPU),
    ]
)


class FolderFiles:
    """Files in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, source: Path, *, media_type: str, account_id: str) -> None:
        target = self.root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.{os.getpid()}.part")
        shutil.copyfile(source, draft)
        draft.replace(target)

    def delete(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)

    def sweep(self) -> int:
        return 0

    def sign(self, key: str) -> str:
        return f"https://files.example/{key}?signed"


def no_fetch(url: str, target: Path, *, max_bytes: int) -> None:
    """The handlers of the tests fetch nothing."""
    raise JobFailed(f"{url} cannot be fetched")


def plain_post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> int:
    """A POST without guards: the receiver listens on loopback."""
    try:
        return httpx.post(url, content=body, headers=dict(headers), timeout=timeout_s).status_code
    except httpx.HTTPError as error:
        raise PostFailed(type(error).__name__) from None


def count(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """Count to `to`, `step_s` apart, and store what was counted."""
    total = int(payload.get("to", 5))
    lines = []
    for number in range(total):
        context.phase("counting", number / total)
        lines.append(f"{number}\n")
        time.sleep(float(payload.get("step_s", 0.02)))
        context.yield_to_calls()
    note = context.checkpoint("note", lambda: f"by {os.getpid()}")
    context.phase("writing", 0.5)
    path = context.work_dir / "count.txt"
    path.write_text("".join(lines), "utf-8")
    stored = context.put(f"counts/{context.job_id}.txt", path, "text/plain")
    return JobResult((stored,), {"counted": total, "note": note}, amount=payload.get("amount"))


async def later(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """The same, waiting for most of the time."""
    context.phase("waiting")
    await asyncio.sleep(float(payload.get("seconds", 0.05)))
    return JobResult((StoredFile("nothing", "text/plain"),), {"waited": True})


def fails(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """Cannot be done."""
    raise JobFailed("the picture shows no face", "NO_FACE")


def breaks(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """Has a bug."""
    raise ZeroDivisionError("a detail that nobody outside may see")


def dies(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """Takes its process with it, in its first attempts."""
    if context.attempt <= int(payload.get("times", 1)):
        os.kill(os.getpid(), 9)
    return JobResult((), {"attempt": context.attempt})


def sticks(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """Never looks whether it is wanted."""
    time.sleep(3600)
    return JobResult()


def warms(services: Services, folder: Path, _stopped: Callable[[], bool]) -> None:
    """Writes down where it was allowed to work, and fails."""
    with (services.settings.data_dir / "warmed").open("a") as told:
        told.write(f"{folder.is_dir()}\n")
    raise FileNotFoundError("no weights here")


def services(settings: Settings) -> Services:
    """Files in the data folder, and the load file of the server there."""
    return Services(settings, FolderFiles(settings.data_dir / "files"), no_fetch, LoadFile(settings.data_dir / "load"))


def post(_settings: Settings) -> Post:
    """The plain client."""
    return plain_post


PARTS = WorkerParts(KINDS, services, post, "tests.server.jobs.parts:warms")


def main() -> int:
    """A worker with these parts; `supervised` as first argument: under a parent that holds its standard input."""
    settings = settings_from_environment()
    configure_logs(settings.log.level, settings.log.format)
    return run_worker(settings, PARTS, supervised=sys.argv[1:] == ["supervised"])


if __name__ == "__main__":
    os._exit(main())
