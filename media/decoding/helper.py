"""The helper process: one request, one answer, and it ends.

It speaks over one socket: it says `ready`, receives a line of JSON with two files (the input, and the result's), gives
up everything it no longer needs, decodes, writes the result and says in a line of JSON what it wrote.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from media.decoding.confinement import forbid_system_calls, limit_resources
from media.decoding.containers import container_info
from media.decoding.errors import MediaError, MediaProblem
from media.decoding.frames import read_frames
from media.decoding.pictures import PICTURE_FORMATS, picture_info, read_kind, read_picture
from media.decoding.sound import read_sound

READY = b"ready\n"
IDLE_S = 300.0
"""A helper that nobody needed for so long ends."""
MOST_REQUEST_BYTES = 65_536

_RESERVE_S = 5


def serve(link: socket.socket) -> None:
    """Answer one request that comes over `link`; returns early when none comes."""
    _warm_up()
    link.settimeout(IDLE_S)
    try:
        link.sendall(READY)
        data, files, _, _ = socket.recv_fds(link, MOST_REQUEST_BYTES, 2)
    except (TimeoutError, ConnectionError):
        return
    if len(files) != 2:
        return
    link.settimeout(None)
    link.sendall(json.dumps(_answer(json.loads(data), *files)).encode() + b"\n")


def _answer(request: dict[str, Any], source: int, result: int) -> dict[str, Any]:
    signal.alarm(int(request["wall_s"]) + _RESERVE_S)  # should nobody be left to end us
    try:
        limit_resources(memory=request["memory"], cpu_s=request["cpu_s"], file_bytes=request["result_bytes"])
        forbid_system_calls()
        with io.BufferedReader(io.FileIO(source, "r"), 1 << 16) as file:
            return _WORK[request["work"]](file, _Result(result), request)
    except MediaError as error:
        return {"problem": error.code, "message": error.message}
    except MemoryError:
        return {"problem": MediaProblem.TOO_COSTLY, "message": "The file needs more memory than is allowed."}
    except Exception:  # noqa: BLE001 - whatever a decoder raises is an answer: the caller logs it
        return {"problem": MediaProblem.FAILED, "trace": traceback.format_exc(limit=-6)[-4000:]}


class _Result:
    """The file that the caller made for the result: arrays one behind the other."""

    def __init__(self, file: int) -> None:
        self._file = file

    def write(self, array: npt.NDArray[Any]) -> None:
        view = np.ascontiguousarray(array).data.cast("B")
        while view:
            try:
                view = view[os.write(self._file, view) :]
            except OSError as error:
                raise MediaError(
                    MediaProblem.TOO_COSTLY, "The decoded file would be larger than is allowed."
                ) from error


def _picture(file: BinaryIO, result: _Result, request: dict[str, Any]) -> dict[str, Any]:
    picture = read_picture(
        file, pixels=request["pixels"], max_side=request["max_side"], formats=tuple(request["formats"])
    )
    return _pictures([picture], result)


def _frames(file: BinaryIO, result: _Result, request: dict[str, Any]) -> dict[str, Any]:
    frames = read_frames(
        file, count=request["count"], at=request["at"], max_side=request["max_side"], pixels=request["pixels"]
    )
    return _pictures(frames, result)


def _pictures(pictures: Iterable[npt.NDArray[np.uint8]], result: _Result) -> dict[str, Any]:
    shapes = []
    for picture in pictures:
        result.write(picture)
        shapes.append(picture.shape[:2])
    return {"shapes": shapes}


def _sound(file: BinaryIO, result: _Result, request: dict[str, Any]) -> dict[str, Any]:
    length = 0
    for piece in read_sound(file, rate=request["rate"], max_seconds=request["max_seconds"]):
        result.write(piece)
        length += len(piece)
    return {"samples": length}


def _probe(file: BinaryIO, _result: _Result, request: dict[str, Any]) -> dict[str, Any]:
    is_picture = read_kind(file).kind == "image"
    info = (picture_info if is_picture else container_info)(file, pixels=request["pixels"])
    return {"info": dataclasses.asdict(info)}


_WORK: dict[str, Callable[[BinaryIO, _Result, dict[str, Any]], dict[str, Any]]] = {
    "picture": _picture,
    "frames": _frames,
    "sound": _sound,
    "probe": _probe,
}


def _warm_up() -> None:
    """Load what decoders load late: afterwards no file can be opened."""
    av.logging.set_level(None)
    Image.init()
    for form in PICTURE_FORMATS:
        data = io.BytesIO()
        Image.new("RGB", (16, 16)).save(data, form)
        data.seek(0)
        picture_info(data, pixels=256)
        data.seek(0)
        read_picture(data, pixels=256, max_side=8)
    wave = io.BytesIO()
    with av.open(wave, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        silence.rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    wave.seek(0)
    container_info(wave, pixels=256)
    wave.seek(0)
    list(read_sound(wave, rate=16_000, max_seconds=1.0))
