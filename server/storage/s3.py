"""A bucket of any service that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import S3Store

from server.settings import StorageSettings
from server.storage.disposition import disposition
from server.storage.errors import StorageFailed
from server.storage.store import PIECE

_IN_ONE: Final = 8 << 20
"""Larger files go up in parts of this size."""


def origin_of(settings: StorageSettings) -> str | None:
    """The origin of the signed URLs of a bucket's files; None where there is no bucket. Asks nobody."""
    if not settings.bucket:
        return None
    if settings.endpoint is None:
        return f"https://{settings.bucket}.s3.{settings.region}.amazonaws.com"
    parts = urlsplit(settings.endpoint)
    return f"{parts.scheme}://{parts.netloc}"


class S3Files:
    """Files in a bucket, each below the prefix that the settings name. Writes are atomic: the service sees to it."""

    def __init__(self, settings: StorageSettings) -> None:
        config: dict[str, Any] = {"region": settings.region, "virtual_hosted_style_request": settings.endpoint is None}
        if settings.endpoint is not None:
            config["endpoint"] = settings.endpoint
        if settings.access_key_id:
            config["access_key_id"] = settings.access_key_id
            config["secret_access_key"] = settings.secret_access_key.get_secret_value()
        plain = settings.endpoint is not None and urlsplit(settings.endpoint).scheme == "http"
        self._store = S3Store(
            settings.bucket,
            prefix=settings.prefix or None,
            config=config,  # type: ignore[arg-type]  # its keys are known only at run time
            client_options={
                "allow_http": plain,
                "timeout": timedelta(minutes=5),
                "connect_timeout": timedelta(seconds=5),
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=60)},
        )

    def write(self, location: str, source: Path, media_type: str) -> None:
        """See `Store`."""
        attributes = {"Content-Type": media_type, "Content-Disposition": disposition(location, media_type)}
        try:
            obstore.put(self._store, location, source, attributes=attributes, chunk_size=_IN_ONE, max_concurrency=4)
        except Exception as error:  # obstore raises what its layers below do
            raise StorageFailed("The file cannot be stored at the moment") from error

    def read(self, location: str, begin: int, end: int) -> Iterator[bytes]:
        """See `Store`."""
        if end <= begin:
            return iter(())
        try:
            answer = obstore.get(self._store, location, options={"range": (begin, end)})
        except (NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(location) from error
        except Exception as error:
            raise StorageFailed("The file cannot be read at the moment") from error
        return (bytes(piece) for piece in answer.stream(min_chunk_size=PIECE))

    def delete(self, location: str) -> None:
        """See `Store`."""
        try:
            obstore.delete(self._store, location)
        except (NotFoundError, FileNotFoundError):
            return
        except Exception as error:
            raise StorageFailed("The file cannot be deleted at the moment") from error

    def signed_url(self, location: str, seconds: int) -> str | None:
        """See `Store`."""
        try:
            return obstore.sign(self._store, "GET", location, timedelta(seconds=seconds))
        except Exception as error:
            raise StorageFailed("No URL can be made at the moment") from error
