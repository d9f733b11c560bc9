"""Networks with the shapes and sizes of the public lip-sync ones and random weights: their cost is the same.

Built after the published architectures (Wav2Lip: Prajwal et al. 2020; Ultralight Digital Human's MobileNet U-Net);
no weights of theirs are in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """Adds layers to a graph; every method takes and gives the name of a tensor."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(0)
        self._count = 0

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        self._count += 1
        out = f"t{self._count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def constant(self, values: np.ndarray) -> str:
        self._count += 1
        self.weights.append(numpy_helper.from_array(values, f"w{self._count}"))
        return f"w{self._count}"

    def convolution(
        self, x: str, inside: int, out: int, kernel: int = 3, stride: int | tuple[int, int] = 1, pad: int = 1,
        *, group: int = 1, up: int | None = None,
    ) -> str:  # fmt: skip
        """`up`: transposed, with this output padding. The batch norm of the original is folded into the weights."""
        strides = [stride, stride] if isinstance(stride, int) else list(stride)
        fan = inside // group * kernel * kernel
        shape = (out, inside // group, kernel, kernel) if up is None else (inside, out, kernel, kernel)
        weights = self.constant((self._random.normal(0, (2 / fan) ** 0.5, shape)).astype(np.float32))
        common = {"kernel_shape": [kernel] * 2, "strides": strides, "pads": [pad] * 4, "group": group}
        bias = self.constant(np.zeros(out, np.float32))
        if up is None:
            return self.node("Conv", [x, weights, bias], **common)
        return self.node("ConvTranspose", [x, weights, bias], output_padding=[up, up], **common)

    def block(self, x: str, inside: int, out: int, *shape: int | tuple[int, int], repeats: int = 0) -> str:
        """A convolution with ReLU, and `repeats` residual ones behind it."""
        x = self.node("Relu", [self.convolution(x, inside, out, *shape)])  # type: ignore[arg-type]
        for _ in range(repeats):
            x = self.node("Relu", [self.node("Add", [self.convolution(x, out, out), x])])
        return x

    def raised(self, x: str, inside: int, out: int, *shape: int, up: int = 0, repeats: int = 0) -> str:
        """A transposed convolution with ReLU, and residual ones behind it."""
        kernel, stride, pad = shape
        x = self.node("Relu", [self.convolution(x, inside, out, kernel, stride, pad, up=up)])
        for _ in range(repeats):
            x = self.node("Relu", [self.node("Add", [self.convolution(x, out, out), x])])
        return x

    def inverted(self, x: str, inside: int, out: int, stride: int = 1, *, residual: bool = False) -> str:
        """MobileNet's inverted residual, twice as wide inside."""
        y = self.node("Relu", [self.convolution(x, inside, 2 * inside, 1, 1, 0)])
        y = self.node("Relu", [self.convolution(y, 2 * inside, 2 * inside, 3, stride, 1, group=2 * inside)])
        y = self.convolution(y, 2 * inside, out, 1, 1, 0)
        return self.node("Add", [x, y]) if residual else y

    def twice(self, x: str, inside: int, out: int, stride: int = 1) -> str:
        return self.inverted(self.inverted(x, inside, out, stride), out, out, residual=True)

    def save(self, path: Path, inputs: dict[str, Sequence[int | str]], out: str, shape: Sequence[int | str]) -> Path:
        graph = helper.make_graph(
            [*self.nodes, helper.make_node("Identity", [out], ["out"])],
            path.stem,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(axes)) for name, axes in inputs.items()],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, list(shape))],
            self.weights,
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
        return path


def wav2lip(path: Path, size: int = 96) -> Path:
    """96 or 256 pixels; 36 and 56 million weights."""
    b, large = Builder(), size == 256
    x, seen = "face", []
    layers: list[tuple[int, int, int, int, int, int]] = [
        (6, 16, 7, 1, 3, 0), (16, 32, 3, 2, 1, 2), (32, 64, 3, 2, 1, 3), (64, 128, 3, 2, 1, 2), (128, 256, 3, 2, 1, 2),
        (256, 512, 3, 2, 1, 1),
    ]  # fmt: skip
    if large:
        layers.append((512, 512, 3, 2, 1, 1))
    for inside, out, kernel, stride, pad, repeats in layers:
        x = b.block(x, inside, out, kernel, stride, pad, repeats=repeats)
        seen.append(x)
    x = b.block(x, 512, 512, 4 if large else 3, 1, 0)
    x = b.block(x, 512, 512, 1, 1, 0)
    seen.append(x)
    y = b.block("mel", 1, 32, repeats=2)
    y = b.block(y, 32, 64, 3, (3, 1), repeats=2)
    y = b.block(y, 64, 128, 3, 3, repeats=2)
    y = b.block(y, 128, 256, 3, (3, 2), repeats=1)
    y = b.block(b.block(y, 256, 512, 3, 1, 0), 512, 512, 1, 1, 0)
    y = b.node("Concat", [b.block(y, 512, 512, 1, 1, 0), seen.pop()], axis=1)
    steps = [(512, 4 if large else 3, 1, 0, 0, 1), (512, 3, 2, 1, 1, 2)]
    if large:
        steps.append((512, 3, 2, 1, 1, 2))
    steps += [(out, 3, 2, 1, 1, 2) for out in (384, 256, 128, 64)]
    channels = dict(zip(seen, [layer[1] for layer in layers], strict=True))
    inside = 1024
    for out, kernel, stride, pad, up, repeats in steps:
        skip = seen.pop()
        y = b.raised(y, inside, out, kernel, stride, pad, up=up, repeats=repeats)
        y = b.node("Concat", [y, skip], axis=1)
        inside = out + channels[skip]
    y = b.block(y, inside, 32)
    y = b.node("Sigmoid", [b.convolution(y, 32, 3, 1, 1, 0)])
    return b.save(path, {"mel": ["b", 1, 80, 16], "face": ["b", 6, size, size]}, y, ["b", 3, size, size])


def ultralight(folder: Path, widths: Sequence[int] = (32, 64, 128, 256, 512)) -> Path:
    """The face network of 160 pixels for HuBERT's features, with a stand-in for HuBERT that costs next to nothing."""
    folder.mkdir(exist_ok=True)
    b, w = Builder(), widths
    a = b.inverted("audio", 16, w[1])
    a = b.inverted(a, w[1], w[2])
    a = b.inverted(b.block(a, w[2], w[3], 3, 2, 1), w[3], w[3], residual=True)
    a = b.block(a, w[3], w[4], 3, 2, 3)
    a = b.inverted(b.inverted(a, w[4], w[4], residual=True), w[4], w[4], residual=True)
    seen = [b.inverted("input", 6, w[0])]
    for k in range(4):
        seen.append(b.twice(seen[-1], w[k], w[k + 1], 2))
    x = b.twice(b.twice(b.node("Concat", [seen.pop(), a], axis=1), 2 * w[4], w[4]), w[4], w[3])
    scales = b.constant(np.array([1, 1, 2, 2], np.float32))
    for k, out in enumerate((w[3] // 2, w[2] // 2, w[1] // 2, w[0])):
        x = b.node("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode="align_corners")
        x = b.twice(b.node("Concat", [x, seen.pop()], axis=1), w[4 - k], out)
    x = b.node("Sigmoid", [b.convolution(x, w[0], 3, 1, 1, 0)])
    b.save(folder / "face.onnx", {"input": ["b", 6, 160, 160], "audio": ["b", 16, 32, 32]}, x, ["b", 3, 160, 160])
    e = Builder()
    loud = e.node("ReduceMean", [e.node("Abs", ["sound"])], axes=[1], keepdims=1)
    features = e.node("Expand", [loud, e.constant(np.array([1, 16384], np.int64))])
    e.save(folder / "audio.onnx", {"sound": ["b", "n"]}, features, ["b", 16384])
    return folder
