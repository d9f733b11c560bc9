"""A clause behind a VITS voice's encoder: latents, from which stretches of sound are made as they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from media.audio.frames import Samples

Tensor: TypeAlias = npt.NDArray[np.float32]
Feeds: TypeAlias = dict[str, npt.NDArray[Any]]

FIRST_CHUNKS = (0.3, 0.6)
"""Seconds of the first stretches where the listener waits: each covers the making of the next."""

CHUNK = 0.9
"""Seconds of every other stretch: some 80 ms of work on one core, then another session may have its turn."""

LEAST_CHUNK = 0.35
"""No stretch is shorter, but the first: each costs its surroundings again."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The sessions of a voice that was split, and how they fit together; see `piper.graph.Layout`."""

    encoder: ort.InferenceSession
    flow: ort.InferenceSession
    decoder: ort.InferenceSession
    prior: str
    latents: str
    flow_context: int
    decoder_context: int
    hop: int
    rate: int


@dataclass(frozen=True, slots=True)
class ClauseTiming:
    """Samples before the first sound, of each sound, and in all."""

    lead: int
    durations: Sequence[int]
    length: int


class SplitClause:
    """Implements `BegunClause`.

    `tensors` are the encoder's outputs by name, those that have time with it in their last axis; `speaker` is what
    the parts take from the request besides.
    """

    def __init__(self, parts: Parts, tensors: Mapping[str, Tensor], speaker: Feeds, timing: ClauseTiming) -> None:
        self._parts = parts
        self._tensors = tensors
        self._speaker = speaker
        self._prior = tensors[parts.prior]
        self._frames = self._prior.shape[-1]
        self._latents = np.empty_like(self._prior)
        self._flowed = 0
        self.lead = timing.lead
        self.durations = timing.durations
        self.length = timing.length

    def chunks(self, *, urgent: bool) -> list[int]:
        """Whole frames: short stretches first where the listener waits, none too short at the end."""
        parts, position = self._parts, 0
        stops: list[int] = []
        while position < self.length:
            count = len(stops)
            seconds = FIRST_CHUNKS[count] if urgent and count < len(FIRST_CHUNKS) else CHUNK
            position += max(1, round(seconds * parts.rate / parts.hop)) * parts.hop
            if self.length - position < LEAST_CHUNK * parts.rate:
                position = self.length
            stops.append(position)
        return stops

    def render(self, start: int, stop: int) -> Samples:
        """Decode the frames that hold these samples, with as many around them as reach into them."""
        hop, context = self._parts.hop, self._parts.decoder_context
        low = max(0, start // hop - context)
        high = min(self._frames, -(-stop // hop) + context)
        self._flow_up_to(high)
        sound = self._run(self._parts.decoder, self._parts.latents, self._latents, low, high)
        samples: Samples = sound.reshape(-1)[start - low * hop : stop - low * hop]
        return samples

    def _flow_up_to(self, wanted: int) -> None:
        """Take the latents through the flow up to a frame, from where it stands."""
        if wanted <= self._flowed:
            return
        context = self._parts.flow_context
        low, high = max(0, self._flowed - context), min(self._frames, wanted + context)
        made = self._run(self._parts.flow, self._parts.prior, self._prior, low, high)
        self._latents[..., self._flowed : wanted] = made[..., self._flowed - low : wanted - low]
        self._flowed = wanted

    def _run(self, session: ort.InferenceSession, name: str, tensor: Tensor, low: int, high: int) -> Tensor:
        """Run a part on the frames [low, high); masks are cut like the latents, what has no time is given whole."""
        feeds: Feeds = {name: tensor[..., low:high]}
        for value in session.get_inputs():
            if value.name in self._speaker:
                feeds[value.name] = self._speaker[value.name]
            elif value.name != name:
                other = self._tensors[value.name]
                feeds[value.name] = other[..., low:high] if other.shape[-1] == self._frames else other
        result: Tensor = session.run(None, feeds)[0]
        return result
