"""A Kokoro voice on onnxruntime: a whole clause at a time, with the durations it spoke it in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from media.speech.synthesis.errors import VoiceFileError
from media.speech.synthesis.kokoro.phonemes import IPA, to_kokoro, vocabulary
from media.speech.synthesis.model import BegunClause, Sound
from media.speech.synthesis.rendered import RenderedClause, open_session, timing

RATE = 24_000

MOST_SOUNDS = 505
"""The network reads at most 512 symbols, two of which stand around the clause; a voice has 510 rows of style."""

_STYLE_SHAPE = (510, 1, 256)
_PAD = 0

LANGUAGES = {
    "a": "en-us", "b": "en-gb", "e": "es", "f": "fr-fr", "h": "hi", "i": "it", "j": "ja", "p": "pt-br", "z": "cmn",
}  # fmt: skip
"""The espeak language of a voice, by the first letter of its name."""


class KokoroModel:
    """One of Kokoro's voices. Implements `SpeechModel`; all voices share one session.

    `style` has shape [510, 1, 256]: a row for each number of symbols in a clause.
    """

    def __init__(self, session: ort.InferenceSession, style: npt.NDArray[np.float32], language: str) -> None:
        self._session = session
        self._style = style
        self._language = language

    @property
    def rate(self) -> int:
        """Samples a second."""
        return RATE

    @property
    def language(self) -> str:
        """The espeak language of the voice."""
        return self._language

    @property
    def reads_letters(self) -> bool:
        """Kokoro reads phonemes."""
        return False

    @property
    def most_sounds(self) -> int:
        """How many sounds one clause may have."""
        return MOST_SOUNDS

    def spell(self, phonemes: str, word: int) -> list[Sound]:
        """The symbols Kokoro was trained on, one for each diphthong and affricate."""
        return [Sound(symbol, IPA.get(symbol, symbol), word) for symbol in to_kokoro(phonemes, self._language)]

    def begin(self, sounds: Sequence[Sound], *, speed: float) -> BegunClause:
        """Speak the clause: Kokoro's decoder needs all of it, so there is nothing to gain from stretches."""
        known = vocabulary()
        owners = [-1, *(i for i, sound in enumerate(sounds) if sound.symbol in known), -1]
        ids = [_PAD, *(known[sounds[i].symbol] for i in owners[1:-1]), _PAD]
        audio, durations = self._session.run(
            None,
            {
                "tokens": np.array([ids], np.int64),
                "style": self._style[min(len(ids) - 2, len(self._style) - 1)],
                "speed": np.array([speed], np.float32),
            },
        )
        counts = np.asarray(durations).reshape(-1).astype(np.int64)
        samples = np.asarray(audio, np.float32).reshape(-1)
        unit = len(samples) // max(1, int(counts.sum()))
        return RenderedClause(samples, *timing(counts * unit, owners, len(sounds)))


def load_session(source: Path, derived: Path, *, threads: int, providers: Sequence[str]) -> ort.InferenceSession:
    """Load the network all of Kokoro's voices share, preparing it in `derived` the first time.

    Raises `VoiceFileError`.
    """
    target = derived / "model.onnx"
    if not target.exists():
        from media.speech.synthesis.kokoro import graph  # noqa: PLC0415 - onnx is slow to import and needed only once

        graph.derive(source, target)
    try:
        return open_session(str(target), threads, providers)
    except Exception as error:  # onnxruntime raises classes of its own for each kind of fault
        raise VoiceFileError(f"cannot load {target}: {error}; delete it to derive it again") from error


def read_style(path: Path) -> npt.NDArray[np.float32]:
    """One voice's styles. Raises `VoiceFileError`."""
    try:
        return np.fromfile(path, np.float32).reshape(_STYLE_SHAPE)
    except (OSError, ValueError) as error:
        raise VoiceFileError(f"{path} is not a Kokoro voice ({_STYLE_SHAPE} float32): {error}") from error


def voice_language(name: str) -> str:
    """The espeak language of a voice such as "af_heart"."""
    return LANGUAGES.get(name[:1], "en-us")
