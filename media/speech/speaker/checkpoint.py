"""Tensors out of a PyTorch checkpoint of the old kind, without PyTorch and without running anything in it.

Before version 1.6 `torch.save` wrote five pickles one behind the other (a magic number, the protocol's version, the
machine's sizes, the object, the keys of the storages) and then the storages: for each an int64 count and its values.
Source: `_legacy_load` in pytorch's torch/serialization.py. A pickle can call anything; ours may name three things.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import numpy.typing as npt

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_MOST_VALUES = 100_000_000
_MOST_AXES = 8


class CheckpointUnreadable(Exception):
    """Not a checkpoint of the old kind, damaged, or one that holds more than float tensors."""


@dataclass(slots=True)
class _Storage:
    count: int
    values: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> npt.NDArray[np.float32]:
        reach = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)) + 1
        if min((self.offset, *self.shape, *self.strides), default=0) < 0 or reach > len(self.storage.values):
            raise CheckpointUnreadable("a tensor reaches beyond its storage")
        strides = [4 * step for step in self.strides]
        view = np.lib.stride_tricks.as_strided(self.storage.values[self.offset :], self.shape, strides, writeable=False)
        return np.array(view)


class _FloatStorage:
    """Stands for torch.FloatStorage: a name only."""


class _Reader(pickle.Unpickler):
    """Builds dictionaries, lists, numbers and float tensors; refuses every other name."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch", "FloatStorage"): _FloatStorage,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuilt,
        }
        try:
            return allowed[module, name]
        except KeyError:
            raise CheckpointUnreadable(f"it asks for {module}.{name}; only float tensors are read") from None

    def persistent_load(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) != 6 or pid[0] != "storage" or pid[1] is not _FloatStorage:
            raise CheckpointUnreadable("it holds a storage that is not of floats")
        _, _, key, _, count, view = pid
        if view is not None or not isinstance(count, int) or not 0 <= count <= _MOST_VALUES:
            raise CheckpointUnreadable(f"it holds a storage of {count} values")
        return self.storages.setdefault(str(key), _Storage(count))


def read_checkpoint(data: bytes, key: str) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors of the dictionary that the checkpoint keeps under `key`, by name.

    Raises `CheckpointUnreadable`; nothing that the bytes ask for is imported or called.
    """
    try:
        return _tensors(io.BytesIO(data), key)
    except CheckpointUnreadable:
        raise
    except Exception as error:  # a damaged pickle raises nearly anything
        raise CheckpointUnreadable(f"it cannot be read: {error!r}") from error


def _tensors(file: IO[bytes], key: str) -> dict[str, npt.NDArray[np.float32]]:
    if _Reader(file).load() != _MAGIC or _Reader(file).load() != _PROTOCOL:
        raise CheckpointUnreadable("not a PyTorch checkpoint of the old kind")
    if not dict(_Reader(file).load()).get("little_endian"):
        raise CheckpointUnreadable("its values are not little-endian")
    reader = _Reader(file)
    content = reader.load()
    for name in _Reader(file).load():
        _fill(reader.storages[name], file)
    tensors = content[key]
    if not isinstance(tensors, Mapping) or not all(isinstance(t, _Tensor) for t in tensors.values()):
        raise CheckpointUnreadable(f"{key} is not a dictionary of tensors")
    return {str(name): tensor.array() for name, tensor in tensors.items()}


def _rebuilt(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> _Tensor:
    axes = (*shape, *strides)
    if len(shape) != len(strides) or len(shape) > _MOST_AXES:
        raise CheckpointUnreadable("a tensor is not described as one")
    if not all(isinstance(axis, int) for axis in (offset, *axes)):
        raise CheckpointUnreadable("a tensor's shape is not of whole numbers")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _fill(storage: _Storage, file: IO[bytes]) -> None:
    count = int.from_bytes(file.read(8), "little", signed=True)
    raw = file.read(4 * storage.count)
    if count != storage.count or len(raw) != 4 * storage.count:
        raise CheckpointUnreadable("it ends in the middle of a storage")
    storage.values = np.frombuffer(raw, "<f4").astype(np.float32)
