"""A Piper voice of a few hundred bytes: the architecture of VITS with made-up weights, for tests without downloads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

CHANNELS = 4
HOP = 64
RATE = 16_000
PHONEMES = "_^$ ,.?!;:ˈˌːabdefhijklmnopstuvwzæðŋɐɑɔəɚɛɜɡɪɹʃʊʌʒθɾ"


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(kind, inputs, [output], name=f"/n/{output}", **attributes)


def _constants(rng: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
    weights: dict[str, npt.NDArray[Any]] = {
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "axis_1": np.array([1], np.int64),
        "axis_2": np.array([2], np.int64),
        "axes_01": np.array([0, 1], np.int64),
        "half_less": np.array(1.6, np.float32),
        "nothing": np.array(0.0, np.float32),
        "spread.w": rng.normal(0, 0.3, (CHANNELS, 1, 1)),
        "flow.w": rng.normal(0, 0.3, (CHANNELS, CHANNELS, 5)),
        "pre.w": rng.normal(0, 0.3, (CHANNELS, CHANNELS, 7)),
        "cond.w": rng.normal(0, 0.3, (CHANNELS, CHANNELS, 1)),
        "up0.w": rng.normal(0, 0.3, (CHANNELS, CHANNELS, 16)),
        "up1.w": rng.normal(0, 0.3, (CHANNELS, CHANNELS, 16)),
        "res.w": rng.normal(0, 0.3, (CHANNELS, CHANNELS, 3)),
        "post.w": rng.normal(0, 0.3, (1, CHANNELS, 7)),
        "emb": rng.normal(0, 1, (2, CHANNELS)),
    }
    return {name: w.astype(np.float32) if w.dtype == np.float64 else w for name, w in weights.items()}


def _encoder() -> list[NodeProto]:
    """Durations of 1.6 frames (rounded up) a symbol, latents that follow the symbols, noise."""
    return [
        _node("Cast", ["input"], "x", to=TensorProto.FLOAT),
        _node("Mul", ["x", "nothing"], "still"),
        _node("Add", ["still", "half_less"], "even"),
        _node("Gather", ["scales", "one"], "length_scale"),
        _node("Gather", ["scales", "zero"], "noise_scale"),
        _node("Mul", ["even", "length_scale"], "slow"),
        _node("Unsqueeze", ["slow", "axis_1"], "slow3"),
        _node("Ceil", ["slow3"], "durations"),
        _node("ReduceSum", ["durations"], "total", keepdims=0),
        _node("Cast", ["total"], "frames", to=TensorProto.INT64),
        _node("Range", ["zero", "frames", "one"], "steps"),
        _node("Cast", ["steps"], "time", to=TensorProto.FLOAT),
        _node("Unsqueeze", ["time", "axes_01"], "time3"),
        _node("CumSum", ["durations", "axis_2_scalar"], "ends"),
        _node("Transpose", ["ends"], "ends_column", perm=[0, 2, 1]),
        _node("Less", ["ends_column", "time3"], "passed"),
        _node("Cast", ["passed"], "path", to=TensorProto.FLOAT),
        _node("Unsqueeze", ["x", "axis_1"], "x3"),
        _node("MatMul", ["x3", "path"], "mean1"),
        _node("Tanh", ["mean1"], "squashed"),
        _node("Add", ["squashed", "time3"], "moving"),
        _node("Sin", ["moving"], "wave"),
        _node("Conv", ["wave", "spread.w"], "mean", kernel_shape=[1]),
        _node("RandomNormalLike", ["mean"], "noise"),
        _node("Mul", ["noise", "mean"], "noise_1"),
        _node("Mul", ["noise_1", "noise_scale"], "noise_2"),
        _node("Add", ["mean", "noise_2"], "prior"),
        _node("GreaterOrEqual", ["time3", "nothing"], "inside"),
        _node("Cast", ["inside"], "mask", to=TensorProto.FLOAT),
    ]


def _rest(*, speakers: bool) -> list[NodeProto]:
    voice = [_node("Gather", ["emb", "sid"], "g2"), _node("Unsqueeze", ["g2", "axis_2"], "g")] if speakers else []
    condition = [_node("Conv", ["g", "cond.w"], "gc", kernel_shape=[1]), _node("Add", ["pre", "gc"], "pre_g")]
    if not speakers:
        condition = [_node("LeakyRelu", ["pre"], "pre_g", alpha=1.0)]
    return [
        *voice,
        _node("Mul", ["prior", "mask"], "masked"),
        _node("Conv", ["masked", "flow.w"], "flowed", kernel_shape=[5], pads=[2, 2]),
        _node("Mul", ["flowed", "mask"], "latents"),
        _node("Conv", ["latents", "pre.w"], "pre", kernel_shape=[7], pads=[3, 3]),
        *condition,
        _node("LeakyRelu", ["pre_g"], "act0", alpha=0.1),
        _node("ConvTranspose", ["act0", "up0.w"], "up0", kernel_shape=[16], strides=[8], pads=[4, 4]),
        _node("LeakyRelu", ["up0"], "act1", alpha=0.1),
        _node("Conv", ["act1", "res.w"], "res", kernel_shape=[3], dilations=[2], pads=[2, 2]),
        _node("Add", ["res", "up0"], "sum"),
        _node("ConvTranspose", ["sum", "up1.w"], "up1", kernel_shape=[16], strides=[8], pads=[4, 4]),
        _node("Conv", ["up1", "post.w"], "post", kernel_shape=[7], pads=[3, 3]),
        _node("Tanh", ["post"], "sound"),
        _node("Unsqueeze", ["sound", "axis_1"], "output"),
    ]


def tiny_model(*, speakers: bool = False) -> ModelProto:
    """The graph; `speakers` adds a second speaker and the input that chooses between them."""
    weights = _constants(np.random.default_rng(7)) | {"axis_2_scalar": np.array(2, np.int64)}
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "n"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
        *([helper.make_tensor_value_info("sid", TensorProto.INT64, [1])] if speakers else []),
    ]
    graph = helper.make_graph(
        [*_encoder(), *_rest(speakers=speakers)],
        "tiny",
        inputs,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        initializer=[numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_voice(folder: Path, model: ModelProto, *, speakers: bool = False, **changes: object) -> Path:
    """A voice's two files; returns the path of its `.onnx`. `changes` replace keys of its settings."""
    path = folder / "tiny.onnx"
    onnx.save(model, str(path))
    settings = {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.5, "length_scale": 1.0, "noise_w": 0.5},
        "phoneme_type": "espeak",
        "phoneme_id_map": {symbol: [number] for number, symbol in enumerate(PHONEMES)},
        "num_speakers": 2 if speakers else 1,
        "speaker_id_map": {"ann": 0, "bob": 1} if speakers else {},
        **changes,
    }
    path.with_name("tiny.onnx.json").write_text(json.dumps(settings))
    return path
