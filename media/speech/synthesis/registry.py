"""The voices of a process: opened by name, their weights, worker, phonemiser and cache shared."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnxruntime as ort

from media.models import ModelError, derived_dir, model_dir, models_root
from media.speech.synthesis.cache import PhraseCache
from media.speech.synthesis.errors import SynthesisError, UnknownVoice, VoiceFileError
from media.speech.synthesis.g2p.espeak import EspeakPhonemiser
from media.speech.synthesis.g2p.protocol import Phonemiser
from media.speech.synthesis.kokoro.model import KokoroModel, load_session, read_style, voice_language
from media.speech.synthesis.model import SpeechModel
from media.speech.synthesis.piper.model import load_piper
from media.speech.synthesis.voice import SynthesisVoice
from media.worker import ModelWorker

DEFAULT_VOICE = "piper-joe"

PACKAGED = {"piper-joe": "en_US-joe-medium.onnx"}
"""Piper voices that come with us: the model's name and the file in its folder."""

KOKORO = "kokoro:"

CACHE_SAMPLES = 8_000_000
"""Samples of repeated phrases that are kept: about six minutes, 32 MB."""

_PIPER_SPLIT = "split-v1"  # to be raised when what piper.graph writes changes
_KOKORO_DURATIONS = "durations-v1"  # the same for kokoro.graph


class VoiceRegistry:
    """Opens each voice once.

    A name is one of ours ("piper-joe"), "kokoro:" and one of its voices ("kokoro:af_heart"), a name from `paths`, or
    the path of a Piper `.onnx` with its `.onnx.json` beside it; "#" and a name chooses a speaker of a Piper voice
    that has several. `threads` is how many one call of a model may use, `providers` are onnxruntime's, the preferred
    first. `deterministic` takes the variation out of Piper voices, for tests.
    """

    def __init__(
        self,
        worker: ModelWorker,
        *,
        paths: Mapping[str, Path] | None = None,
        threads: int = 1,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        deterministic: bool = False,
        phonemiser: Phonemiser | None = None,
        cache_samples: int = CACHE_SAMPLES,
    ) -> None:
        self._worker = worker
        self._paths = dict(paths or {})
        self._threads = threads
        self._providers = tuple(providers)
        self._deterministic = deterministic
        self._phonemiser = phonemiser if phonemiser is not None else EspeakPhonemiser()
        self._cache = PhraseCache(cache_samples)
        self._voices: dict[str, SynthesisVoice] = {}
        self._kokoro: tuple[ort.InferenceSession, Path] | None = None
        self._loading = threading.Lock()
        self._loader = ThreadPoolExecutor(1, "voice-loader")

    def names(self) -> list[str]:
        """The voices that can be opened by name here, weights not yet checked."""
        names = [*PACKAGED, *self._paths]
        try:
            styles = sorted((model_dir("kokoro") / "voices").glob("*.bin"))
        except ModelError:
            styles = []
        return [*names, *(KOKORO + style.stem for style in styles)]

    def open(self, name: str = DEFAULT_VOICE) -> SynthesisVoice:
        """The voice of this name, loaded if it is not yet: that takes about a second and blocks.

        Raises `UnknownVoice`, `VoiceFileError`, or `media.models.ModelError`.
        """
        with self._loading:
            if name not in self._voices:
                model = self._load(name)
                _warm_up(model)
                self._voices[name] = SynthesisVoice(
                    name, model, phonemiser=self._phonemiser, worker=self._worker, cache=self._cache
                )
            return self._voices[name]

    async def get(self, name: str = DEFAULT_VOICE) -> SynthesisVoice:
        """The same without blocking the event loop: a voice that is not yet loaded is loaded on a thread."""
        if name in self._voices:
            return self._voices[name]
        return await asyncio.get_running_loop().run_in_executor(self._loader, self.open, name)

    def close(self) -> None:
        """End the phonemiser's helper. The worker belongs to who made it."""
        self._loader.shutdown(wait=True, cancel_futures=True)
        self._phonemiser.close()

    def _load(self, name: str) -> SpeechModel:
        if name.startswith(KOKORO):
            return self._load_kokoro(name)
        base, _, speaker = name.partition("#")
        if base in self._paths:
            return self._load_piper(self._paths[base].expanduser(), None, speaker)
        if base in PACKAGED:
            return self._load_piper(model_dir(base) / PACKAGED[base], derived_dir(base, _PIPER_SPLIT), speaker)
        if base.endswith(".onnx"):
            return self._load_piper(Path(base).expanduser(), None, speaker)
        raise UnknownVoice(
            f"no voice is called {name!r}; there are: {', '.join(self.names())}, and any Piper voice by the path of "
            "its .onnx"
        )

    def _load_piper(self, source: Path, derived: Path | None, speaker: str) -> SpeechModel:
        if not source.is_file():
            raise VoiceFileError(f"there is no voice at {source}")
        return load_piper(
            source,
            derived if derived is not None else _derived_for(source),
            threads=self._threads,
            providers=self._providers,
            speaker=speaker or None,
            deterministic=self._deterministic,
        )

    def _load_kokoro(self, name: str) -> SpeechModel:
        style = name.removeprefix(KOKORO)
        if self._kokoro is None:
            folder = model_dir("kokoro")
            derived = derived_dir("kokoro", _KOKORO_DURATIONS)
            session = load_session(folder / "model.onnx", derived, threads=self._threads, providers=self._providers)
            self._kokoro = session, folder / "voices"
        session, styles = self._kokoro
        if not style.isidentifier() or not (styles / f"{style}.bin").is_file():
            raise UnknownVoice(f"Kokoro has no voice {style!r}; there are: {', '.join(self.names())}")
        return KokoroModel(session, read_style(styles / f"{style}.bin"), voice_language(style))


def _warm_up(model: SpeechModel) -> None:
    """The first call of a network allocates what the later ones use: no caller should wait for that."""
    clause = model.begin(model.spell("ə", 0), speed=1.0)
    clause.render(0, clause.length)


def _derived_for(source: Path) -> Path:
    """Where the parts of somebody's own voice are kept: by its content, so that a changed file is taken apart anew."""
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    folder = models_root() / "derived" / f"voice-{digest[:16]}" / _PIPER_SPLIT
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SynthesisError(f"cannot create {folder}: {error.strerror}; is VISAVIS_MODELS_DIR right?") from error
    return folder
