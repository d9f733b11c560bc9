"""Takes a VITS voice's graph apart, so that its first sound need not wait for its last.

The model is text encoder and duration predictor → prior latents, one column of 192 numbers a frame → flow →
decoder (HiFi-GAN). Flow and decoder are convolutions: a stretch of them needs only the latents near it. The cuts are
found by what the graph does, not by its names, so that any export of the architecture fits.

Source of the architecture: Kim, Kong, Son 2021, "Conditional Variational Autoencoder with Adversarial Learning for
End-to-End Text-to-Speech"; rhasspy/piper's `export_onnx.py`.
"""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

LAYOUT = "layout.json"


class UnknownGraph(Exception):
    """The graph is not the architecture that can be split; the text says what was not found."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a voice's files are used.

    `durations` is the encoder's output of frames for each symbol, `prior` its latents, `latents` what the flow makes
    of them; `flow_inputs` and `decoder_inputs` are the tensors those two parts take from the parts before.
    `flow_context` and `decoder_context` are the frames on each side that a frame depends on. `hop` is samples a frame.
    Where `split` is false, one graph gives the sound and the durations, and the rest is empty.
    """

    split: bool
    durations: str
    hop: int
    prior: str = ""
    latents: str = ""
    flow_inputs: tuple[str, ...] = ()
    decoder_inputs: tuple[str, ...] = ()
    flow_context: int = 0
    decoder_context: int = 0


class _Graph:
    """A graph with the edges needed to walk it."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.nodes: list[NodeProto] = list(model.graph.node)
        self.producer: dict[str, NodeProto] = {name: node for node in self.nodes for name in node.output}
        self.consumers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self.consumers[name].append(node)
        self.weights = {tensor.name: tensor for tensor in model.graph.initializer}

    def downstream(self, names: Iterable[str]) -> set[str]:
        """All tensors that depend on one of these."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            for node in self.consumers[waiting.pop()]:
                fresh = [name for name in node.output if name and name not in found]
                found.update(fresh)
                waiting.extend(fresh)
        return found

    def only(self, nodes: Sequence[NodeProto], what: str) -> NodeProto:
        if len(nodes) != 1:
            raise UnknownGraph(f"{len(nodes)} candidates for {what}")
        return nodes[0]


def _durations(graph: _Graph) -> str:
    """Frames of each symbol: rounded up, then accumulated into the path through time."""
    rounded = [n for n in graph.nodes if n.op_type == "Ceil"]
    paths = [n for n in rounded if any(c.op_type == "CumSum" for c in graph.consumers[n.output[0]])]
    return str(graph.only(paths, "the durations (a Ceil that a CumSum reads)").output[0])


def _prior(graph: _Graph, after: set[str]) -> str:
    """The latents' random start: mean plus noise, drawn behind the durations."""
    drawn = [n for n in graph.nodes if n.op_type == "RandomNormalLike" and n.input[0] in after]
    tensor = graph.only(drawn, "the prior's noise (a RandomNormalLike behind the durations)").output[0]
    while True:
        following = graph.only(graph.consumers[tensor], "what reads the prior's noise")
        tensor = following.output[0]
        if following.op_type == "Add":
            return str(tensor)
        if following.op_type != "Mul":
            raise UnknownGraph(f"the prior's noise goes into {following.op_type}")


def _latents(graph: _Graph) -> str:
    """The decoder's input: what its first convolution reads, in front of the first upsampling."""
    ups = next((n for n in graph.nodes if n.op_type == "ConvTranspose"), None)
    if ups is None:
        raise UnknownGraph("no ConvTranspose: no HiFi-GAN decoder")
    waiting, found = [ups.input[0]], []
    while waiting:
        node = graph.producer.get(waiting.pop())
        if node is not None and node.op_type == "Conv" and _kernel(graph, node) > 1:
            found.append(node)
        elif node is not None and node.op_type in ("LeakyRelu", "Add"):
            waiting.extend(node.input)
    return str(graph.only(found, "the decoder's first convolution").input[0])


def _kernel(graph: _Graph, node: NodeProto) -> int:
    weights = graph.weights.get(node.input[1])
    if weights is None:
        raise UnknownGraph(f"{node.op_type} {node.name} has no fixed weights")
    return int(weights.dims[-1])


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((int(a.ints[0]) for a in node.attribute if a.name == name and a.ints), default)


def _context(graph: _Graph, start: str, inside: set[str], end: str) -> tuple[int, int]:
    """Frames on each side of a frame that reach into it between two tensors, and samples a frame at the end.

    Walks in the order of the graph, keeping for each tensor its reach in frames and its upsampling.
    """
    reach: dict[str, tuple[float, int]] = {start: (0.0, 1)}
    for node in graph.nodes:
        if not node.output or node.output[0] not in inside:
            continue
        known = [reach[name] for name in node.input if name in reach]
        if not known:
            continue
        far, scale = max(r for r, _ in known), max(s for _, s in known)
        if node.op_type == "Conv":
            far += _attribute(node, "dilations", 1) * (_kernel(graph, node) // 2) / scale
        elif node.op_type == "ConvTranspose":
            stride = _attribute(node, "strides", 1)
            far, scale = far + math.ceil(_kernel(graph, node) / stride / 2) / scale, scale * stride
        for name in node.output:
            reach[name] = (far, scale)
    if end not in reach:
        raise UnknownGraph(f"{end} does not depend on {start}")
    far, scale = reach[end]
    return math.ceil(far), scale


def _part(graph: _Graph, cuts: Sequence[str], ends: Sequence[str], text: set[str]) -> tuple[ModelProto, list[str]]:
    """The sub-graph from the tensors in `cuts` (with what else it needs from before) to `ends`, and its inputs.

    Whatever comes from the text and not from the cuts becomes one more input; constants and the speaker's
    embedding are taken along.
    """
    own = graph.downstream(cuts)
    needed: set[str] = set()
    borders = list(cuts)
    waiting = list(ends)
    while waiting:
        name = waiting.pop()
        if name in needed or name in borders or not name:
            continue
        if cuts and name in text and name not in own:
            borders.append(name)
            continue
        needed.add(name)
        producer = graph.producer.get(name)
        if producer is not None:
            waiting.extend(producer.input)
    nodes = [node for node in graph.nodes if any(name in needed for name in node.output)]
    originals = [value for value in graph.model.graph.input if value.name in needed]
    inputs = [*(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in borders), *originals]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ends]
    weights = [tensor for name, tensor in graph.weights.items() if name in needed]
    made = helper.make_graph(nodes, "part", inputs, outputs, initializer=weights)
    model = helper.make_model(made, opset_imports=graph.model.opset_import, ir_version=graph.model.ir_version)
    return model, [value.name for value in inputs]


def split(model: ModelProto) -> tuple[Layout, dict[str, ModelProto]]:
    """Cut a voice into encoder, flow and decoder. Raises `UnknownGraph` where it is of another architecture."""
    graph = _Graph(model)
    durations = _durations(graph)
    text = graph.downstream(value.name for value in model.graph.input if value.name.startswith("input"))
    prior, latents = _prior(graph, graph.downstream([durations])), _latents(graph)
    if latents not in graph.downstream([prior]):
        raise UnknownGraph("the decoder does not follow the prior")
    sound = model.graph.output[0].name
    flow_context, flow_scale = _context(graph, prior, graph.downstream([prior]), latents)
    decoder_context, hop = _context(graph, latents, graph.downstream([latents]), sound)
    if flow_scale != 1:
        raise UnknownGraph("the flow changes the frame rate")
    decoder, decoder_inputs = _part(graph, [latents], [sound], text)
    flow, flow_inputs = _part(graph, [prior], [latents], text)
    shared = [n for n in (*flow_inputs, *decoder_inputs) if n in text and n not in (prior, latents)]
    encoder, _ = _part(graph, [], [durations, prior, *dict.fromkeys(shared)], text)
    layout = Layout(
        True,
        durations,
        hop,
        prior,
        latents,
        tuple(flow_inputs),
        tuple(decoder_inputs),
        flow_context,
        decoder_context,
    )
    return layout, {"encoder": encoder, "flow": flow, "decoder": decoder}


def unsplit(model: ModelProto) -> tuple[Layout, dict[str, ModelProto]]:
    """A voice of another architecture as it is, with its durations as a second output. Raises `UnknownGraph`."""
    graph = _Graph(model)
    rounded = [n for n in graph.nodes if n.op_type in ("Ceil", "Round")]
    durations = str(graph.only(rounded, "the durations (a Ceil or Round)").output[0])
    model.graph.output.append(helper.make_tensor_value_info(durations, TensorProto.FLOAT, None))
    return Layout(False, durations, 0), {"unsplit": model}


def derive(source: Path, folder: Path) -> Layout:
    """Write the parts of the voice in `source` into `folder`; the layout file comes last, and only whole.

    Raises `UnknownGraph` if not even the durations can be found.
    """
    try:
        model = onnx.load(str(source))
    except OSError:
        raise
    except Exception as error:  # protobuf's DecodeError derives from Exception itself
        raise UnknownGraph(f"{source} is no ONNX file: {error}") from error
    try:
        layout, parts = split(model)
    except UnknownGraph:
        layout, parts = unsplit(model)
    for name, part in parts.items():
        _write(folder / f"{name}.onnx", part.SerializeToString())
    _write(folder / LAYOUT, json.dumps(asdict(layout)).encode())
    return layout


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)
