"""Whisper on CTranslate2, made for live talk: it encodes the speech and a second of silence, not thirty seconds.

The tokenizer is faster-whisper's (MIT), the model any Whisper that CTranslate2 runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.tokenizer import Tokenizer

from media.audio.frames import SPEECH_RATE, Samples
from media.cuda import load_libraries
from media.priority import stepped_back
from media.speech.log_mel import HOP, log_mel
from media.speech.protocols import RecognisedWord, Transcript
from media.speech.recognition import decoding
from media.speech.recognition.errors import LanguageNotSupported, RecogniserFilesError
from media.speech.recognition.unheard import unheard
from media.speech.recognition.words import place_words
from media.worker import ModelWorker, model_cores, models_at_work

LONGEST = 30 * SPEECH_RATE
"""Samples Whisper can hear at once; of longer audio the last 30 s are used."""
SHORTEST = SPEECH_RATE // 10
"""Less audio than this holds no word."""
SILENCE_PEAK = 0.001
"""Audio that never gets louder than this (-60 dBFS) is not worth a decoder."""
_MOST_PASSES = 3
_MAX_LENGTH = 448  # of prompt and text in Whisper's decoder
HINT_DOUBT = -1.0
"""With a hint, what is less likely than this (mean log probability a token) is heard again without it."""
_LONGEST_HINT = 100  # tokens
_HINT_STEP = 30  # time stamps (0.6 s) given to each sentence of a hint
_FILES = ("model.bin", "config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class WhisperOptions:
    """How to run the model.

    `device`: cpu, cuda or auto (cuda where there is one). `precision`: CTranslate2's compute type; by default int8 on
    a CPU and float16 on a GPU. `workers`: requests at a time, sharing one copy of the weights; `threads`: of a CPU for
    each (a second thread gains next to nothing, a second worker doubles the throughput where there are cores for it).
    `padding`: seconds of silence the encoder sees after the speech. `capacity`: requests that may wait.
    """

    device: str = "auto"
    precision: str | None = None
    workers: int = 1
    threads: int = 1
    padding: float = 1.0
    capacity: int = 64


class WhisperRecogniser:
    """A `SpeechRecogniser`: one model for all sessions, on threads of its own."""

    def __init__(self, folder: Path, options: WhisperOptions | None = None) -> None:
        """Load the model in `folder`. Raises `RecogniserFilesError`."""
        self.options = options or WhisperOptions()
        self._model, self._tokens = stepped_back(lambda: _load(folder, self.options))
        self.languages: tuple[str, ...] = _languages(self._tokens) if self._model.is_multilingual else ("en",)
        self._tokenizers: dict[str, Tokenizer] = {}
        self._cores = model_cores() if self.device == "cpu" else math.inf
        self.worker = ModelWorker("recognition", threads=self.options.workers, capacity=self.options.capacity)

    @property
    def device(self) -> str:
        """Where it runs: cpu or cuda."""
        return str(self._model.device)

    @property
    def busy(self) -> bool:
        """Whether it works already, or other models need the cores.

        With two workers one stays free for whoever has finished speaking; on a CPU one core stays free for what
        must not wait, so what can wait is only begun where the models at work leave another.
        """
        return self.worker.running + self.worker.backlog > 0 or models_at_work() >= self._cores

    async def transcribe(
        self,
        samples: Samples,
        *,
        deadline: float,
        language: str | None = None,
        hint: str = "",
        word_times: bool = False,
        slot: str | None = None,
    ) -> Transcript:
        """Recognise `samples`, as `SpeechRecogniser` says. Raises `LanguageNotSupported`."""
        self._check(language)
        return await self.worker.run(
            lambda: self.transcribe_now(samples, language=language, hint=hint, word_times=word_times),
            deadline=deadline,
            replaces=slot,
        )

    def transcribe_now(
        self, samples: Samples, *, language: str | None = None, hint: str = "", word_times: bool = False
    ) -> Transcript:
        """The same, here and now: blocks the thread."""
        self._check(language)
        samples = samples[-LONGEST:]
        whole, begin = Transcript("", language or "", 1.0, 0.0), 0
        for _ in range(_MOST_PASSES):
            rest = samples[begin:]
            if len(rest) < SHORTEST or np.abs(rest).max() < SILENCE_PEAK:
                break
            part, end = self._hear(rest, whole.language or None, "" if whole.text else hint, word_times=word_times)
            whole = _appended(whole, part, begin)
            missed = unheard(rest, end) if part.text else None
            if missed is None:
                break
            begin += missed
        return whole

    def _hear(self, samples: Samples, language: str | None, hint: str, *, word_times: bool) -> tuple[Transcript, float]:
        """One pass of the decoder: what it heard, and the second up to which."""
        encoded = self._encode(samples, self.options.padding)
        language = language or self._detect(encoded)
        tokenizer = self._tokenizer(language)
        heard = self._decode(encoded, tokenizer, samples, hint)
        if hint and heard.log_probability < HINT_DOUBT:
            # A hint is also what the decoder makes up where it hears nothing, and it spoils the no-speech
            # probability; so where it is not sure, what it hears without the hint decides.
            hint = ""
            heard = self._decode(encoded, tokenizer, samples, hint)
        elif hint:
            heard = replace(heard, no_speech=0.0)
        if heard.is_loop:
            # A decoder that loops within a segment has lost its way in the short window: let it see thirty seconds.
            encoded = self._encode(samples, (LONGEST - len(samples)) / SPEECH_RATE)
            heard = self._decode(encoded, tokenizer, samples, hint)
        if not heard.is_speech or heard.is_loop:
            return Transcript("", language, heard.no_speech, heard.log_probability), heard.reading.end
        words = self._place(encoded, tokenizer, heard.tokens, samples) if word_times else ()
        return Transcript(heard.text, language, heard.no_speech, heard.log_probability, words), heard.reading.end

    def close(self) -> None:
        """Stop the worker; requests that wait fail with `WorkerClosed`."""
        self.worker.close()

    def _check(self, language: str | None) -> None:
        if language is not None and language not in self.languages:
            known = ", ".join(self.languages)
            raise LanguageNotSupported(f"the recogniser does not know the language {language!r}, but: {known}")

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            multilingual = self._model.is_multilingual
            self._tokenizers[language] = Tokenizer(self._tokens, multilingual, task="transcribe", language=language)
        return self._tokenizers[language]

    def _encode(self, samples: Samples, padding: float) -> Any:
        # The encoder halves the number of frames, so the window is a whole number of pairs.
        pairs = -(-int(len(samples) + padding * SPEECH_RATE) // (2 * HOP))
        window = np.zeros(min(pairs * 2 * HOP, LONGEST), np.float32)
        window[: len(samples)] = samples
        features = np.ascontiguousarray(log_mel(window, self._model.n_mels)[None])
        return self._model.encode(ctranslate2.StorageView.from_array(features))

    def _detect(self, encoded: Any) -> str:
        if not self._model.is_multilingual:
            return "en"
        token: str = self._model.detect_language(encoded)[0][0][0]
        return token.strip("<|>")

    def _decode(self, encoded: Any, tokenizer: Tokenizer, samples: Samples, hint: str) -> _Heard:
        seconds = len(samples) / SPEECH_RATE
        language = tokenizer.language_code
        prompt = [*_hint_tokens(tokenizer, hint), *tokenizer.sot_sequence]
        budget = decoding.token_budget(seconds, language)
        heard = self._generate(encoded, tokenizer, prompt, seconds, budget)
        if not heard.reading.finished:  # a very fast speaker, or a language that needs more tokens than most
            heard = self._generate(encoded, tokenizer, prompt, seconds, 3 * budget)
        return heard

    def _generate(self, encoded: Any, tokenizer: Tokenizer, prompt: list[int], seconds: float, budget: int) -> _Heard:
        result = self._model.generate(
            encoded,
            [prompt],
            beam_size=1,
            # CTranslate2 allows half of max_length, and max_length less the prompt, for new tokens.
            max_length=min(_MAX_LENGTH, max(2 * budget, len(prompt) + budget)),
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = result.sequences_ids[0]
        segments = decoding.split_segments(tokens, tokenizer.timestamp_begin, tokenizer.eot)
        broken_off = len(tokens) >= budget
        reading = decoding.read_segments(segments, seconds, tokenizer.language_code, broken_off=broken_off)
        text = tokenizer.decode(list(reading.tokens)).strip()
        is_loop = decoding.is_loop(text, len(reading.tokens), seconds, tokenizer.language_code)
        return _Heard(reading, text, is_loop, float(result.no_speech_prob), min(0.0, float(result.scores[0])))

    def _place(
        self, encoded: Any, tokenizer: Tokenizer, tokens: Sequence[int], samples: Samples
    ) -> tuple[RecognisedWord, ...]:
        if not tokens:
            return ()
        frames = -(-len(samples) // HOP)
        alignment = self._model.align(encoded, list(tokenizer.sot_sequence), [list(tokens)], frames)[0]
        words, word_tokens = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
        return place_words(
            words[:-1],
            [len(part) for part in word_tokens[:-1]],
            alignment.alignments,
            alignment.text_token_probs,
            seconds=len(samples) / SPEECH_RATE,
        )


@dataclass(frozen=True, slots=True)
class _Heard:
    reading: decoding.Reading
    text: str
    is_loop: bool
    no_speech: float
    log_probability: float

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.reading.tokens

    @property
    def is_speech(self) -> bool:
        return decoding.is_speech(self.no_speech, self.log_probability, len(self.tokens), cut=self.reading.cut)


def _appended(whole: Transcript, part: Transcript, begin: int) -> Transcript:
    """A transcript and what was heard after it, from sample `begin` on."""
    if not whole.text or not part.text:
        return part if not whole.text else whole
    offset = begin / SPEECH_RATE
    words = tuple(replace(word, start=word.start + offset, end=word.end + offset) for word in part.words)
    return Transcript(
        f"{whole.text} {part.text}",
        whole.language,
        max(whole.no_speech_probability, part.no_speech_probability),
        min(whole.average_log_probability, part.average_log_probability),
        whole.words + words,
    )


def _load(folder: Path, options: WhisperOptions) -> tuple[Any, tokenizers.Tokenizer]:
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise RecogniserFilesError(f"{folder} has no {', '.join(missing)}: not a Whisper model for CTranslate2")
    device = options.device
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    if device == "cuda":
        load_libraries()
    try:
        model = ctranslate2.models.Whisper(
            str(folder),
            device=device,
            compute_type=options.precision or ("float16" if device == "cuda" else "int8"),
            inter_threads=options.workers,
            intra_threads=options.threads,
        )
        return model, tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # CTranslate2 and tokenizers raise bare RuntimeError, ValueError and Exception
        raise RecogniserFilesError(f"{folder}: {error}") from error


def _languages(tokens: tokenizers.Tokenizer) -> tuple[str, ...]:
    """The languages of a multilingual model: its vocabulary has a token for each, after the one that begins a text."""
    first, last = tokens.token_to_id("<|startoftranscript|>"), tokens.token_to_id("<|translate|>")
    if first is None or last is None:
        raise RecogniserFilesError("the tokenizer is not that of a multilingual Whisper")
    names = [tokens.id_to_token(number) or "" for number in range(first + 1, last)]
    return tuple(sorted(name.strip("<|>") for name in names))


def _hint_tokens(tokenizer: Tokenizer, hint: str) -> list[int]:
    """A prompt of text that came before. Each sentence has time stamps: after one without, the decoder writes none."""
    sentences = [part.strip() for part in hint.replace("!", "!\n").replace("?", "?\n").replace(".", ".\n").splitlines()]
    begin, end = tokenizer.timestamp_begin, tokenizer.timestamp_begin + _HINT_STEP
    prompt: list[int] = []
    for sentence in reversed([part for part in sentences if part]):
        tokens = [begin, *tokenizer.encode(" " + sentence), end]
        if len(prompt) + len(tokens) > _LONGEST_HINT:
            break
        prompt = tokens + prompt
    return [tokenizer.sot_prev, *prompt] if prompt else []
