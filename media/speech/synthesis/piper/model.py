"""A Piper voice on onnxruntime."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from media.speech.synthesis.errors import VoiceFileError
from media.speech.synthesis.model import BegunClause, Sound
from media.speech.synthesis.piper.clause import ClauseTiming, Feeds, Parts, SplitClause
from media.speech.synthesis.piper.config import BEGIN, END, PAD, PiperConfig, read_config
from media.speech.synthesis.rendered import RenderedClause, open_session, timing

MOST_SOUNDS = 500


class PiperModel:
    """One Piper voice and speaker. Implements `SpeechModel`.

    `sessions` and `layout` are what `piper.graph` derives. `deterministic` takes the noise out: the same text gives
    the same samples, and sounds flatter. (The noise is drawn inside the graph, so it has no seed of its own.)
    """

    def __init__(
        self,
        config: PiperConfig,
        sessions: Mapping[str, ort.InferenceSession],
        layout: Mapping[str, Any],
        *,
        speaker: int | None = None,
        deterministic: bool = False,
    ) -> None:
        self._config = config
        self._speaker: Feeds = {} if speaker is None else {"sid": np.array([speaker], np.int64)}
        self._noise = (0.0, 0.0) if deterministic else (config.noise_scale, config.noise_w)
        self._durations = str(layout["durations"])
        self._sessions = sessions
        self._parts: Parts | None = None
        if layout["split"]:
            shared = {name: layout[name] for name in ("prior", "latents", "flow_context", "decoder_context", "hop")}
            self._parts = Parts(**sessions, **shared, rate=config.rate)

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self._config.rate

    @property
    def language(self) -> str:
        """The espeak voice the network was trained with."""
        return self._config.language

    @property
    def reads_letters(self) -> bool:
        """Whether the voice was trained on letters."""
        return self._config.spelled

    @property
    def most_sounds(self) -> int:
        """How many sounds one clause may have."""
        return MOST_SOUNDS

    @property
    def split(self) -> bool:
        """Whether the voice could be taken apart, so that its first sound comes before the clause is done."""
        return self._parts is not None

    def spell(self, phonemes: str, word: int) -> list[Sound]:
        """One symbol for each code point, as Piper was trained."""
        if self._config.spelled:
            phonemes = phonemes.casefold()
        return [Sound(character, character, word) for character in unicodedata.normalize("NFD", phonemes)]

    def begin(self, sounds: Sequence[Sound], *, speed: float) -> BegunClause:
        """Run the text encoder; the sound is left to `render`, unless the voice could not be taken apart."""
        ids, owners = self._numbers(sounds)
        noise_scale, noise_w = self._noise
        feeds: Feeds = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array([noise_scale, self._config.length_scale / speed, noise_w], np.float32),
            **self._speaker,
        }
        encoder = self._parts.encoder if self._parts is not None else self._sessions["unsplit"]
        wanted = {value.name for value in encoder.get_inputs()}
        names = [output.name for output in encoder.get_outputs()]
        results = encoder.run(names, {name: feed for name, feed in feeds.items() if name in wanted})
        tensors = dict(zip(names, results, strict=True))
        frames = tensors.pop(self._durations).reshape(-1).astype(np.int64)
        if self._parts is not None:
            spent = timing(frames * self._parts.hop, owners, len(sounds))
            return SplitClause(self._parts, tensors, self._speaker, ClauseTiming(*spent))
        audio = next(iter(tensors.values())).reshape(-1)
        hop = len(audio) // max(1, int(frames.sum()))
        return RenderedClause(audio, *timing(frames * hop, owners, len(sounds)))

    def _numbers(self, sounds: Sequence[Sound]) -> tuple[list[int], list[int]]:
        """What the network reads, and the index of the sound each number belongs to, -1 for begin and end.

        The pad behind a symbol is part of its sound. Symbols that the voice does not know are left out.
        """
        known, pad = self._config.ids, self._config.ids[PAD]
        ids = [*known[BEGIN], *pad]
        owners = [-1] * len(ids)
        for index, sound in enumerate(sounds):
            if numbers := known.get(sound.symbol):
                ids += [*numbers, *pad]
                owners += [index] * (len(numbers) + len(pad))
        ids += known[END]
        owners += [-1] * len(known[END])
        return ids, owners


def load_piper(
    source: Path,
    derived: Path,
    *,
    threads: int = 1,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    speaker: str | None = None,
    deterministic: bool = False,
) -> PiperModel:
    """Load a Piper voice from its `.onnx`, taking it apart into `derived` the first time.

    `threads` is how many one call may use. Raises `VoiceFileError`.
    """
    config = read_config(source.with_name(source.name + ".json"))
    number = _speaker_number(config, speaker, source)
    layout = _layout(source, derived)
    names = ("encoder", "flow", "decoder") if layout["split"] else ("unsplit",)
    try:
        sessions = {name: open_session(str(derived / f"{name}.onnx"), threads, providers) for name in names}
    except Exception as error:  # onnxruntime raises classes of its own for each kind of fault
        raise VoiceFileError(f"cannot load the voice {source}: {error}; delete {derived} to derive it again") from error
    return PiperModel(config, sessions, layout, speaker=number, deterministic=deterministic)


def _layout(source: Path, derived: Path) -> dict[str, Any]:
    """How the derived files are used; they are written if they are not there."""
    path = derived / "layout.json"
    if not path.exists():
        from media.speech.synthesis.piper import graph  # noqa: PLC0415 - onnx is slow to import and needed only once

        try:
            graph.derive(source, derived)
        except (graph.UnknownGraph, OSError) as error:
            raise VoiceFileError(f"cannot take the voice {source} apart: {error}") from error
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _speaker_number(config: PiperConfig, name: str | None, source: Path) -> int | None:
    if config.speakers is None:
        if name is not None:
            raise VoiceFileError(f"{source} has a single speaker; leave out #{name}")
        return None
    if name is None:
        return min(config.speakers.values())
    if name not in config.speakers:
        raise VoiceFileError(f"{source} has no speaker {name!r}; it has: {', '.join(sorted(config.speakers))}")
    return config.speakers[name]
