"""GGUF files rewritten from Q4_1 to Q8_0, on small files of our own."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.language.errors import WeightsUnusable
from media.language.requantise import to_q8_0

F32, Q4_1, Q8_0 = 0, 3, 8


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def gguf(
    tensors: list[tuple[bytes, tuple[int, ...], int, bytes]], *, version: int = 3, keys: bytes = b"", count: int = 0
) -> bytes:
    infos, data = b"", b""
    for name, shape, kind, raw in tensors:
        infos += (
            string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape) + struct.pack("<IQ", kind, len(data))
        )
        data += raw + bytes(-len(raw) % 32)
    head = struct.pack("<IIQQ", 0x46554747, version, len(tensors), count) + keys + infos
    return head + bytes(-len(head) % 32) + data


def q4_1(scale: float, minimum: float, levels: np.ndarray) -> bytes:
    packed = (levels[:16] | (levels[16:] << 4)).astype(np.uint8)
    head: bytes = np.array([scale, minimum], np.float16).tobytes()
    return head + bytes(packed)


def read_tensors(raw: bytes) -> dict[bytes, tuple[int, bytes]]:
    """A second, independent reader of files without metadata: name -> type and the bytes from its offset on."""
    _, _, tensors, _ = struct.unpack_from("<IIQQ", raw)
    at, found = 24, {}
    for _ in range(tensors):
        (length,) = struct.unpack_from("<Q", raw, at)
        name = raw[at + 8 : at + 8 + length]
        (dimensions,) = struct.unpack_from("<I", raw, at + 8 + length)
        at += 12 + length + 8 * dimensions
        found[name] = struct.unpack_from("<IQ", raw, at)
        at += 12
    base = -(-at // 32) * 32
    return {name: (kind, raw[base + offset :]) for name, (kind, offset) in found.items()}


def test_weights_keep_their_values_and_the_rest_its_bytes(tmp_path: Path) -> None:
    levels = np.arange(32) % 16
    norm = np.linspace(0, 1, 32, dtype=np.float32).tobytes()
    source = gguf([(b"w", (32,), Q4_1, q4_1(0.125, -0.5, levels)), (b"n", (32,), F32, norm)])
    (tmp_path / "a.gguf").write_bytes(source)
    to_q8_0(tmp_path / "a.gguf", tmp_path / "b.gguf")
    tensors = read_tensors((tmp_path / "b.gguf").read_bytes())
    kind, block = tensors[b"w"]
    assert kind == Q8_0
    values = np.frombuffer(block[2:34], np.int8) * np.float32(np.frombuffer(block[:2], np.float16)[0])
    assert np.allclose(values, levels * 0.125 - 0.5, atol=1.375 / 127 / 2 + 1e-3)
    assert tensors[b"n"] == (F32, norm)
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".part"] == []


def test_a_block_of_zeros_stays_zero(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(gguf([(b"w", (32,), Q4_1, q4_1(0.0, 0.0, np.zeros(32, np.uint8)))]))
    to_q8_0(tmp_path / "a.gguf", tmp_path / "b.gguf")
    assert read_tensors((tmp_path / "b.gguf").read_bytes())[b"w"][1][:34] == bytes(34)


def test_metadata_of_every_type_is_kept(tmp_path: Path) -> None:
    words = struct.pack("<IQ", 8, 2) + string(b"one") + string(b"two")
    numbers = struct.pack("<IQ", 5, 3) + bytes(12)
    keys = b"".join(
        string(name) + struct.pack("<I", kind) + value
        for name, kind, value in [
            (b"a", 8, string(b"text")),
            (b"b", 4, bytes(4)),
            (b"c", 9, words),
            (b"d", 9, numbers),
            (b"e", 7, b"\1"),
        ]
    )
    source = gguf([(b"n", (32,), F32, bytes(128))], keys=keys, count=5)
    (tmp_path / "a.gguf").write_bytes(source)
    to_q8_0(tmp_path / "a.gguf", tmp_path / "b.gguf")
    assert (tmp_path / "b.gguf").read_bytes() == source


WHOLE = gguf(
    [(b"w", (32, 2), Q4_1, bytes(40)), (b"n", (32,), F32, bytes(128))],
    keys=string(b"k") + struct.pack("<II", 4, 7),
    count=1,
)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"GGUF",
        b"not a model file at all, but long enough to hold a header",
        gguf([], version=9),
        gguf([(b"w", (31,), F32, bytes(124))]),
        gguf([(b"w", (32,), 14, bytes(64))]),
        gguf([(b"w", (32,), Q4_1, b"\x00\x7c" + bytes(18))]),
        gguf([(b"w", (1 << 40,), F32, bytes(64))]),
        WHOLE[:-64],
        struct.pack("<IIQQ", 0x46554747, 3, 1 << 60, 0),
    ],
)
def test_a_damaged_file_is_refused_and_leaves_nothing(tmp_path: Path, source: bytes) -> None:
    (tmp_path / "a.gguf").write_bytes(source)
    with pytest.raises(WeightsUnusable, match=r"a\.gguf"):
        to_q8_0(tmp_path / "a.gguf", tmp_path / "b.gguf")
    assert [file.name for file in tmp_path.iterdir()] == ["a.gguf"]


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_wrong_byte_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, at: int, value: int) -> None:
    folder = tmp_path_factory.mktemp("gguf")
    damaged = bytearray(WHOLE)
    damaged[at] = value
    (folder / "a.gguf").write_bytes(damaged)
    try:
        to_q8_0(folder / "a.gguf", folder / "b.gguf")
    except WeightsUnusable:
        assert not (folder / "b.gguf").exists()
