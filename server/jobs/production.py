"""What workers of a real server are made of: every kind of job, its storage, and the guarded ways out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.database import Database
from server.fetching import BlockingFetcher, Fetcher, FetchError, UrlPolicy
from server.jobs.handlers import Services
from server.jobs.load import LoadFile
from server.jobs.worker import WorkerParts
from server.renders.kinds import RENDERS
from server.storage import OwnFiles, Storage
from server.webhooks.sender import Post, PostFailed

if TYPE_CHECKING:
    from server.settings import Settings

_DATABASE_THREADS = 2


def services(settings: Settings) -> Services:
    """What handlers may use."""
    files = Storage.of(settings, Database(settings.database_url, threads=_DATABASE_THREADS))
    own = OwnFiles(files)
    fetcher = Fetcher(UrlPolicy.of(settings.fetching, own.prefix), own=own)
    return Services(settings, files, BlockingFetcher(fetcher), LoadFile(settings.data_dir / "load"))


def post(settings: Settings) -> Post:
    """How webhooks are posted. What was uploaded here is no place for them."""
    fetcher = BlockingFetcher(Fetcher(UrlPolicy.of(settings.fetching)))

    def guarded(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> int:
        try:
            return fetcher.post(url, body, headers, timeout_s=timeout_s)
        except FetchError as error:
            raise PostFailed(error.message) from error

    return guarded


PARTS = WorkerParts(RENDERS, services, post, "server.renders.warm:warm")
