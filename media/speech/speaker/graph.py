"""The speaker encoder's network as an ONNX graph, built of its weights.

Three LSTM layers of 256, a linear layer, ReLU, unit length: Wan et al. 2018, "Generalized End-to-End Loss for Speaker
Verification", as trained and published by Resemblyzer (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from media.speech.speaker.checkpoint import CheckpointUnreadable

BANDS = 40
FRAMES = 160
"""Frames of 10 ms that the network hears at once."""
WIDTH = 256
"""Numbers of an embedding."""

_LAYERS = 3
_OPSET, _IR = 17, 9

Weights = Mapping[str, npt.NDArray[np.float32]]


def encoder_graph(weights: Weights) -> ModelProto:
    """`mel` [n, 160, 40] to `embedding` [n, 256] of unit length (zeros where ReLU leaves nothing).

    Raises `CheckpointUnreadable` where a weight is missing or has another shape.
    """
    tensors = [numpy_helper.from_array(np.array([1], np.int64), "axis")]
    nodes = [helper.make_node("Transpose", ["mel"], ["x0"], perm=[1, 0, 2])]
    for layer in range(_LAYERS):
        inner = BANDS if layer == 0 else WIDTH
        w = _ordered(_weight(weights, f"lstm.weight_ih_l{layer}", 4 * WIDTH, inner))[None]
        r = _ordered(_weight(weights, f"lstm.weight_hh_l{layer}", 4 * WIDTH, WIDTH))[None]
        biases = [_ordered(_weight(weights, f"lstm.bias_{side}_l{layer}", 4 * WIDTH)) for side in ("ih", "hh")]
        for name, value in (("w", w), ("r", r), ("b", np.concatenate(biases)[None])):
            tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), f"{name}{layer}"))
        given = [f"x{layer}", f"w{layer}", f"r{layer}", f"b{layer}"]
        nodes.append(helper.make_node("LSTM", given, [f"y{layer}", f"h{layer}"], hidden_size=WIDTH))
        nodes.append(helper.make_node("Squeeze", [f"y{layer}", "axis"], [f"x{layer + 1}"]))
    tensors.append(numpy_helper.from_array(np.array([0], np.int64), "first"))
    tensors.append(numpy_helper.from_array(_weight(weights, "linear.weight", WIDTH, WIDTH), "linear_w"))
    tensors.append(numpy_helper.from_array(_weight(weights, "linear.bias", WIDTH), "linear_b"))
    nodes += [
        helper.make_node("Squeeze", [f"h{_LAYERS - 1}", "first"], ["last"]),
        helper.make_node("Gemm", ["last", "linear_w", "linear_b"], ["linear"], transB=1),
        helper.make_node("Relu", ["linear"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], ["embedding"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "speaker_encoder",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["n", FRAMES, BANDS])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", WIDTH])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    checker.check_model(model)
    return model


def _weight(weights: Weights, name: str, *shape: int) -> npt.NDArray[np.float32]:
    found = weights.get(name)
    if found is None or found.shape != shape:
        what = "is missing" if found is None else f"has shape {found.shape}"
        raise CheckpointUnreadable(f"{name} {what}; {shape} is needed")
    return found


def _ordered(gates: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """PyTorch stacks input, forget, cell and output gates; ONNX input, output, forget and cell."""
    entry, forget, cell, output = np.split(gates, 4)
    return np.concatenate([entry, output, forget, cell])
