"""Checkpoints of the old kind, written here without PyTorch."""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

Weights = Mapping[str, npt.NDArray[np.float32]]


class FloatStorage:
    pass


def _rebuild_tensor_v2(*_: object) -> None:
    raise AssertionError("never called here")


class _Tensor:
    def __init__(self, key: str, values: npt.NDArray[np.float32]) -> None:
        self.key, self.values = key, values

    def __reduce__(self) -> Any:
        strides = tuple(step // 4 for step in self.values.strides)
        storage = _StorageRef(self.key, self.values.size)
        return _rebuild_tensor_v2, (storage, 0, self.values.shape, strides, False, OrderedDict())


class _StorageRef:
    def __init__(self, key: str, count: int) -> None:
        self.key, self.count = key, count


class _Writer(pickle.Pickler):
    def persistent_id(self, obj: object) -> Any:
        if isinstance(obj, _StorageRef):
            return ("storage", FloatStorage, obj.key, "cpu", obj.count, None)
        return None


@contextmanager
def _as_torch() -> Iterator[None]:
    """Under the names that PyTorch's own files use."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    vars(torch)["FloatStorage"], vars(utils)["_rebuild_tensor_v2"] = FloatStorage, _rebuild_tensor_v2
    sys.modules["torch"], sys.modules["torch._utils"] = torch, utils
    FloatStorage.__module__, FloatStorage.__qualname__ = "torch", "FloatStorage"
    _rebuild_tensor_v2.__module__ = "torch._utils"
    try:
        yield
    finally:
        del sys.modules["torch"], sys.modules["torch._utils"]


def checkpoint(weights: Weights, key: str = "model_state") -> bytes:
    out = io.BytesIO()
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "protocol_version": 1001}]
    for part in head:
        pickle.dump(part, out, protocol=2)
    with _as_torch():
        tensors = OrderedDict((name, _Tensor(str(k), values)) for k, (name, values) in enumerate(weights.items()))
        _Writer(out, protocol=2).dump({"step": 7, key: tensors})
    pickle.dump([str(k) for k in range(len(weights))], out, protocol=2)
    for values in weights.values():
        out.write(values.size.to_bytes(8, "little", signed=True) + np.ascontiguousarray(values, "<f4").tobytes())
    return out.getvalue()


def encoder_weights(seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Random weights of the speaker encoder's shapes."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(3):
        shapes[f"lstm.weight_ih_l{layer}"] = (1024, 40 if layer == 0 else 256)
        shapes[f"lstm.weight_hh_l{layer}"] = (1024, 256)
        shapes[f"lstm.bias_ih_l{layer}"] = shapes[f"lstm.bias_hh_l{layer}"] = (1024,)
    shapes |= {"linear.weight": (256, 256), "linear.bias": (256,)}
    return {name: rng.normal(0, 0.08, shape).astype(np.float32) for name, shape in shapes.items()}
