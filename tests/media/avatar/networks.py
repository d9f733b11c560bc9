"""Tiny networks with the signatures of the lip-sync networks: what they paint can be told from what went in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


def _save(
    path: Path, nodes: list[onnx.NodeProto], inputs: dict[str, Shape], output: Shape, constants: dict[str, np.ndarray]
) -> Path:
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, list(output))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def _i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def tiny_wav2lip(path: Path, size: int = 96, *, mel: int = 80) -> Path:
    """Paints the reference face, lighter the louder the sound is."""
    nodes = [
        helper.make_node("Slice", ["face", "three", "six", "one"], ["reference"]),
        helper.make_node("ReduceMean", ["mel"], ["loud"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["loud", "tenth"], ["light"]),
        helper.make_node("Add", ["reference", "light"], ["out"]),
    ]
    constants = {
        "three": _i64(3), "six": _i64(6), "one": _i64(1), "tenth": np.array(0.1, np.float32),
    }  # fmt: skip
    inputs: dict[str, Shape] = {"mel": ["b", 1, mel, 16], "face": ["b", 6, size, size]}
    return _save(path, nodes, inputs, ["b", 3, size, size], constants)


def tiny_ultralight(folder: Path, *, audio: Sequence[int] = (32, 32, 32), values: int = 32768) -> Path:
    """`face.onnx` paints the reference; `audio.onnx` gives `values` features."""
    folder.mkdir(exist_ok=True)
    nodes = [
        helper.make_node("Slice", ["input", "zero", "three", "one"], ["reference"]),
        helper.make_node("ReduceMean", ["audio"], ["loud"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Add", ["reference", "loud"], ["out"]),
    ]
    constants = {"zero": _i64(0), "three": _i64(3), "one": _i64(1)}
    inputs: dict[str, Shape] = {"input": ["b", 6, 160, 160], "audio": ["b", *audio]}
    _save(folder / "face.onnx", nodes, inputs, ["b", 3, 160, 160], constants)
    encode = [
        helper.make_node("Abs", ["sound"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["loud"], axes=[1], keepdims=1),
        helper.make_node("Expand", ["loud", "shape"], ["out"]),
    ]
    _save(folder / "audio.onnx", encode, {"sound": [1, "n"]}, [1, values], {"shape": _i64(1, values)})
    return folder


def tiny_musetalk(folder: Path) -> Path:
    """The four networks: codes are the picture reduced, the unet adds the sound to the reference's code."""
    folder.mkdir(exist_ok=True)
    pick = np.zeros((4, 3, 1, 1), np.float32)
    pick[[0, 1, 2], [0, 1, 2]] = 1.0
    _save(
        folder / "vae_encoder.onnx",
        [
            helper.make_node("AveragePool", ["picture"], ["small"], kernel_shape=[8, 8], strides=[8, 8]),
            helper.make_node("Conv", ["small", "pick"], ["out"]),
        ],
        {"picture": ["b", 3, 256, 256]}, ["b", 4, 32, 32], {"pick": pick},
    )  # fmt: skip
    _save(
        folder / "vae_decoder.onnx",
        [
            helper.make_node("Conv", ["code", "pick"], ["small"]),
            helper.make_node("Resize", ["small", "", "scales"], ["out"], mode="nearest"),
        ],
        {"code": ["b", 4, 32, 32]}, ["b", 3, 256, 256],
        {"pick": np.ascontiguousarray(pick.transpose(1, 0, 2, 3)), "scales": np.array([1, 1, 8, 8], np.float32)},
    )  # fmt: skip
    _save(
        folder / "unet.onnx",
        [
            helper.make_node("Slice", ["latents", "four", "eight", "one"], ["reference"]),
            helper.make_node("ReduceMean", ["audio"], ["loud"], axes=[1, 2], keepdims=1),
            helper.make_node("Unsqueeze", ["loud", "three"], ["wide"]),
            helper.make_node("Add", ["reference", "wide"], ["sum"]),
            helper.make_node("Add", ["sum", "timestep"], ["out"]),
        ],
        {"latents": ["b", 8, 32, 32], "timestep": [1], "audio": ["b", 50, 384]}, ["b", 4, 32, 32],
        {"four": _i64(4), "eight": _i64(8), "one": _i64(1), "three": _i64(3)},
    )  # fmt: skip
    _save(
        folder / "audio_encoder.onnx",
        [
            helper.make_node("ReduceMean", ["mel"], ["loud"], axes=[1, 2], keepdims=1),
            helper.make_node("Unsqueeze", ["loud", "three"], ["wide"]),
            helper.make_node("Expand", ["wide", "shape"], ["out"]),
        ],
        {"mel": ["b", 80, "t"]}, ["b", 5, 50, 384], {"three": _i64(3), "shape": _i64(1, 5, 50, 384)},
    )  # fmt: skip
    return folder
