"""POST /api/upload: one file in a multipart form, streamed to disk while it is counted, and judged by its content."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic import Field
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from media import decoding
from media.decoding import MediaError, MediaInfo
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import ApiError, Invalid, Unavailable, UnsupportedMedia
from server.gate.families import Family
from server.gate.models import AnswerModel
from server.gate.registry import Endpoint
from server.middleware.body import BodyBounds
from server.storage.errors import QuotaExceeded, StorageFailed
from server.storage.records import FileInfo
from server.storage.storage import Storage

FIELD: Final = "file"
UPLOAD_S: Final = 600.0
"""Seconds an upload may take."""
MOST_PARTS: Final = 16
OVERHEAD: Final = 64 << 10
"""Bytes of a body that are not the file: boundaries, headers, fields that nobody asked for."""

_ENDINGS = {
    "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "image/bmp": "bmp",
    "image/avif": "avif", "video/mp4": "mp4", "audio/mp4": "m4a", "video/quicktime": "mov", "video/webm": "webm",
    "audio/webm": "webm", "video/x-matroska": "mkv", "audio/x-matroska": "mka", "video/x-msvideo": "avi",
    "audio/x-msvideo": "avi", "audio/wav": "wav", "audio/mpeg": "mp3", "audio/aac": "aac", "audio/flac": "flac",
    "audio/ogg": "ogg", "audio/aiff": "aiff",
}  # fmt: skip


class UploadedFile(AnswerModel):
    """A file that is there now."""

    url: str = Field(description="Where it is to be had for 24 hours")
    key: str
    content_type: str = Field(description="Told by its content")
    size: int = Field(description="Bytes")


class UploadAnswer(AnswerModel):
    """An upload's answer."""

    data: UploadedFile


def upload_endpoint(storage: Storage, *, max_bytes: int, days: float) -> Endpoint:
    """The endpoint, for the registry. `days`: uploads are kept so long."""

    async def upload(call: ApiCall[Any]) -> ApiResult:
        return await receive(storage, call.account.id, call.request, max_bytes=max_bytes, keep=timedelta(days=days))

    return Endpoint(
        family=Family.F2,
        method="POST",
        path="/api/upload",
        summary="Upload a file",
        description=(
            f"A picture, sound or video as the field `{FIELD}` of a multipart form, at most {max_bytes >> 20} MiB. "
            "What it is is told by its content. Its URL can be given wherever one is asked for; "
            f"it is kept {days:g} days."
        ),
        handler=upload,
        answers={201: UploadAnswer},
        limit="upload",
        multipart=True,
        bounds=BodyBounds(max_bytes + OVERHEAD, UPLOAD_S),
        seconds=UPLOAD_S + 60,
    )


async def receive(storage: Storage, account_id: str, request: Request, *, max_bytes: int, keep: timedelta) -> ApiResult:
    """Take an account's upload. Raises `ApiError`: 400, 413 (too large, or no room), 415, 503."""
    boundary = _boundary(request.headers.get("content-type", ""))
    room = await run_in_threadpool(storage.room, account_id)
    scratch = storage.scratch_file()
    try:
        path = await run_in_threadpool(scratch.__enter__)
        try:
            name = await _receive_form(request.stream(), boundary, path, max_bytes=max_bytes, room=room)
            info = await _store(storage, account_id, path, name, keep)
        finally:
            await run_in_threadpool(scratch.__exit__)
    except OSError as error:
        raise Unavailable("The file cannot be stored at the moment: try again later") from error
    uploaded = UploadedFile(url=storage.sign(info.key), key=info.key, content_type=info.media_type, size=info.size)
    return ApiResult(UploadAnswer(data=uploaded))


async def _store(storage: Storage, account_id: str, path: Path, name: str, keep: timedelta) -> FileInfo:
    media = await _judged(path)
    key = f"uploads/{secrets.token_hex(12)}/{_plain(name)}.{_ENDINGS.get(media.mime, 'bin')}"
    try:
        return await run_in_threadpool(storage.put, key, path, media_type=media.mime, account_id=account_id, keep=keep)
    except QuotaExceeded as error:
        raise _no_room(str(error)) from error
    except StorageFailed as error:
        raise Unavailable(f"{error}: try again later") from error


async def _judged(path: Path) -> MediaInfo:
    try:
        return await decoding.probe(path)
    except MediaError as error:
        if error.retryable:
            raise Unavailable(error.message) from error
        raise Invalid(error.message, field=FIELD) from error


def _no_room(message: str) -> ApiError:
    return ApiError(message, status=413, code="STORAGE_FULL")


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data":
        raise UnsupportedMedia(f"Send the file as the field {FIELD} of a multipart/form-data body")
    if not 0 < len(boundary) <= 70:  # RFC 2046
        raise Invalid("The Content-Type names no boundary of 1 to 70 characters")
    return boundary


async def _receive_form(stream: AsyncIterable[bytes], boundary: bytes, path: Path, *, max_bytes: int, room: int) -> str:
    """Write the form's file to `path`; returns the name it came with."""
    with path.open("wb") as target:
        form = _Form(target, max_bytes, room)
        parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]  # a TypedDict of the same keys
        try:
            async for piece in stream:
                if form.ended:
                    continue  # what comes after the last boundary is nobody's
                parser.write(piece)
                await run_in_threadpool(form.flush)
        except FormParserError:
            raise Invalid("The body is not a well-formed multipart form") from None
    if not form.ended:
        raise Invalid("The body ends before the form does")
    if form.name is None:
        raise Invalid("is missing: send the file as this field, with a file name", field=FIELD)
    if form.size == 0:
        raise Invalid("is empty", field=FIELD)
    return form.name


@dataclass(slots=True)
class _Part:
    """A part of the form while it comes."""

    header: bytearray
    value: bytearray
    disposition: bytes = b""
    is_file: bool = False


class _Form:
    """What a multipart parser calls: keeps the one file, passes over everything else, and counts."""

    def __init__(self, target: BinaryIO, max_bytes: int, room: int) -> None:
        self.name: str | None = None
        self.size = 0
        self.ended = False
        self._target = target
        self._max_bytes, self._room = max_bytes, room
        self._pending: list[bytes] = []
        self._part = _Part(bytearray(), bytearray())
        self._parts = 0

    def callbacks(self) -> dict[str, Any]:
        """For the parser."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._part.header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._part.value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_headers_finished": self._headers,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def flush(self) -> None:
        """Write what has come."""
        for piece in self._pending:
            self._target.write(piece)
        self._pending.clear()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise Invalid(f"The form has more than {MOST_PARTS} parts")
        self._part = _Part(bytearray(), bytearray())

    def _header(self) -> None:
        if bytes(self._part.header).lower() == b"content-disposition":
            self._part.disposition = bytes(self._part.value)
        self._part.header.clear()
        self._part.value.clear()

    def _headers(self) -> None:
        _, options = parse_options_header(self._part.disposition)
        if options.get(b"name") != FIELD.encode():
            return
        if b"filename" not in options:
            raise Invalid("must be a file, not a text: give it a file name", field=FIELD)
        if self.name is not None:
            raise Invalid("must be one file; send each in a request of its own", field=FIELD)
        self.name = options[b"filename"].decode("utf-8", "replace")
        self._part.is_file = True

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._part.is_file:
            return
        self.size += end - start
        if self.size > self._max_bytes:
            raise ApiError(f"{FIELD}: is larger than the {self._max_bytes >> 20} MiB that are accepted", status=413)
        if self.size > self._room:
            raise _no_room(str(QuotaExceeded(self.size, self._room)))
        self._pending.append(data[start:end])

    def _end(self) -> None:
        self.ended = True


def _plain(name: str) -> str:
    """A file's name without its ending and path, in the few characters that keys have."""
    stem = name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or name
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:60] or "file"
