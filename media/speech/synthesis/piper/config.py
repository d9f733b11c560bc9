"""What a Piper voice says about itself in the `.onnx.json` beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media.speech.synthesis.errors import VoiceFileError

BEGIN, END, PAD = "^", "$", "_"
"""Symbols that stand around the phonemes: begin, end, and between any two of them."""


@dataclass(frozen=True, slots=True)
class PiperConfig:
    """A voice's settings.

    `rate` in Hz, `language` an espeak voice, `ids` the numbers of each symbol. `noise_scale` and `noise_w` say how
    much the sound and the rhythm vary from one rendering to the next, `length_scale` how slowly it speaks.
    `spelled`: the voice reads letters, not phonemes. `speakers`: numbers by name, empty for a single speaker.
    """

    rate: int
    language: str
    ids: Mapping[str, tuple[int, ...]]
    noise_scale: float = 0.667
    length_scale: float = 1.0
    noise_w: float = 0.8
    spelled: bool = False
    speakers: Mapping[str, int] | None = None


def read_config(path: Path) -> PiperConfig:
    """Read a voice's settings. Raises `VoiceFileError` naming the file and what is wrong in it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _config(content)
    except OSError as error:
        raise VoiceFileError(
            f"cannot read {path}: {error.strerror}; a Piper voice needs it beside its .onnx"
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise VoiceFileError(f"{path} is not a Piper voice's settings: {error}") from error
    except KeyError as error:
        raise VoiceFileError(f"{path} is not a Piper voice's settings: {error.args[0]} is missing") from error


def _config(content: dict[str, Any]) -> PiperConfig:
    kind = content.get("phoneme_type", "espeak")
    if kind not in ("espeak", "text"):
        raise ValueError(f"phonemes of type {kind!r} are not supported, only espeak and text")
    ids = {str(symbol): tuple(int(n) for n in numbers) for symbol, numbers in content["phoneme_id_map"].items()}
    for symbol in (BEGIN, END, PAD):
        if not ids.get(symbol):
            raise KeyError(f"phoneme_id_map[{symbol!r}]")
    inference = content.get("inference", {})
    several = int(content.get("num_speakers", 1)) > 1
    speakers = {str(name): int(number) for name, number in (content.get("speaker_id_map") or {}).items()}
    return PiperConfig(
        rate=int(content["audio"]["sample_rate"]),
        language=str(content.get("espeak", {}).get("voice", "en-us")),
        ids=ids,
        noise_scale=float(inference.get("noise_scale", 0.667)),
        length_scale=float(inference.get("length_scale", 1.0)),
        noise_w=float(inference.get("noise_w", 0.8)),
        spelled=kind == "text",
        speakers=(speakers or {str(n): n for n in range(int(content["num_speakers"]))}) if several else None,
    )
