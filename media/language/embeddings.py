"""Sentence embeddings: all-MiniLM-L6-v2 (six BERT layers, 384 dimensions) as a forward pass in numpy.

Sources: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2 (weights, mean pooling, normalisation),
https://arxiv.org/abs/1810.04805 (the layers).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

from media.language.errors import WeightsUnusable
from media.models import model_dir
from media.worker import ModelWorker

Vectors = npt.NDArray[np.float32]
MODEL = "minilm"
_TOKENS_MAX = 256
_BATCH = 16
_SMALLEST = 1e-12


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their similarity. One instance serves all sessions."""

    @property
    def name(self) -> str:
        """Names the model, so that what was computed with another one is not mixed up with it."""
        ...

    async def embed(self, texts: Sequence[str], *, deadline: float) -> Vectors:
        """The vectors, shape [len(texts), dimensions], float32, of length 1."""
        ...


class MiniLm:
    """The network. `folder` holds model.safetensors, tokenizer.json and config.json. Not thread-safe.

    Word embeddings stay in the file and are read row by row: half of the weights, of which a sentence needs
    a dozen rows. Raises `WeightsUnusable`.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        try:
            config = json.loads((folder / "config.json").read_text())
            self._heads = int(config["num_attention_heads"])
            self._epsilon = float(config["layer_norm_eps"])
            with _open(path) as weights:
                self._layers = [_layer(weights, number) for number in range(int(config["num_hidden_layers"]))]
                self._positions = _tensor(weights, "embeddings.position_embeddings.weight")
                self._type = _tensor(weights, "embeddings.token_type_embeddings.weight")[0]
                self._input_norm = _pair(weights, "embeddings.LayerNorm")
            # Opened anew: the pages that were read above no longer count as this process's memory.
            self._file = _open(path)
            self._words = self._file.get_slice("embeddings.word_embeddings.weight")
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise WeightsUnusable(f"{path}: not the all-MiniLM-L6-v2 weights ({error})") from error
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_TOKENS_MAX)
        self._tokenizer.no_padding()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length 1, shape [len(texts), 384]; of a long text its first 256 tokens count."""
        result = np.empty((len(texts), self._positions.shape[1]), np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        by_length = sorted(range(len(texts)), key=lambda index: len(tokens[index]))
        for begin in range(0, len(by_length), _BATCH):
            batch = by_length[begin : begin + _BATCH]
            result[batch] = self._forward([tokens[index] for index in batch])
        return result

    def _forward(self, tokens: list[list[int]]) -> Vectors:
        length = max(len(ids) for ids in tokens)
        mask = np.zeros((len(tokens), length), np.float32)
        hidden = np.zeros((len(tokens), length, self._positions.shape[1]), np.float32)
        for row, ids in enumerate(tokens):
            mask[row, : len(ids)] = 1.0
            for column, token in enumerate(ids):
                hidden[row, column] = self._words[token : token + 1][0]
        hidden = self._norm(hidden + self._positions[:length] + self._type, self._input_norm)
        blocked = (1.0 - mask)[:, None, None, :] * np.float32(-1e9)
        for layer in self._layers:
            hidden = self._norm(hidden + self._attend(hidden, layer, blocked), layer["attention.output.LayerNorm"])
            inner = _gelu(_linear(hidden, layer["intermediate.dense"]))
            hidden = self._norm(hidden + _linear(inner, layer["output.dense"]), layer["output.LayerNorm"])
        pooled = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        unit: Vectors = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), _SMALLEST)
        return unit

    def _attend(self, hidden: Vectors, layer: dict[str, tuple[Vectors, Vectors]], blocked: Vectors) -> Vectors:
        batch, length, width = hidden.shape
        split = (batch, length, self._heads, width // self._heads)
        query, key, value = (
            _linear(hidden, layer[f"attention.self.{part}"]).reshape(split).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(split[-1])) + blocked
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        return _linear(mixed.transpose(0, 2, 1, 3).reshape(hidden.shape), layer["attention.output.dense"])

    def _norm(self, values: Vectors, weights: tuple[Vectors, Vectors]) -> Vectors:
        centred = values - values.mean(axis=-1, keepdims=True)
        scale, shift = weights
        variance = np.mean(centred * centred, axis=-1, keepdims=True)
        normed: Vectors = centred / np.sqrt(variance + self._epsilon) * scale + shift
        return normed


class LocalEmbedder:
    """An `Embedder` on the packaged MiniLM, whose weights are loaded at the first use (about 45 MB)."""

    name = "all-MiniLM-L6-v2"

    def __init__(self) -> None:
        self.worker = ModelWorker("embeddings")
        self._model: MiniLm | None = None
        self._lock = threading.Lock()

    async def embed(self, texts: Sequence[str], *, deadline: float) -> Vectors:
        """The vectors of `texts`. Raises `media.models.ModelMissing`, `WeightsUnusable` or what a worker raises."""
        batches = [tuple(texts[begin : begin + _BATCH]) for begin in range(0, len(texts), _BATCH)] or [()]
        # Batch by batch: a caller's question does not wait for a whole book.
        vectors = [await self.worker.run(partial(self._embed, batch), deadline=deadline) for batch in batches]
        return np.concatenate(vectors)

    async def warm_up(self) -> None:
        """Load the weights now."""
        await self.embed(["Hello."], deadline=time.monotonic() + 1.0)

    def close(self) -> None:
        """Refuse new work."""
        self.worker.close()

    def _embed(self, texts: tuple[str, ...]) -> Vectors:
        with self._lock:
            if self._model is None:
                # For the whole process: OpenBLAS threads spin, and beside one busy process made 12 ms into 430.
                threadpool_limits(limits=1, user_api="blas")
                self._model = MiniLm(model_dir(MODEL))
            return self._model.embed(texts)


def _open(path: Path) -> Any:
    return safe_open(path, framework="np")


def _layer(weights: Any, number: int) -> dict[str, tuple[Vectors, Vectors]]:
    prefix = f"encoder.layer.{number}."
    linear = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]
    layer = {name: _pair(weights, prefix + name) for name in [*linear, "intermediate.dense", "output.dense"]}
    layer = {name: (np.ascontiguousarray(matrix.T), bias) for name, (matrix, bias) in layer.items()}
    return layer | {name: _pair(weights, prefix + name) for name in ("attention.output.LayerNorm", "output.LayerNorm")}


def _pair(weights: Any, name: str) -> tuple[Vectors, Vectors]:
    return _tensor(weights, f"{name}.weight"), _tensor(weights, f"{name}.bias")


def _tensor(weights: Any, name: str) -> Vectors:
    tensor: Vectors = weights.get_tensor(name).astype(np.float32, copy=False)
    return tensor


def _linear(values: Vectors, weights: tuple[Vectors, Vectors]) -> Vectors:
    matrix, bias = weights
    product: Vectors = (values.reshape(-1, matrix.shape[0]) @ matrix + bias).reshape(
        *values.shape[:-1], matrix.shape[1]
    )
    return product


def _gelu(values: Vectors) -> Vectors:
    """x Φ(x), with the error function of Abramowitz and Stegun 7.1.26 (absolute error below 2e-7)."""
    scaled = np.abs(values) * np.float32(np.sqrt(0.5))
    t = 1.0 / (1.0 + np.float32(0.3275911) * scaled)
    polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    error = np.copysign(1.0 - polynomial * np.exp(-scaled * scaled), values)
    activated: Vectors = (0.5 * values * (1.0 + error)).astype(np.float32, copy=False)
    return activated
