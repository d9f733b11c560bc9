"""Which of our voices speaks: by its id where one is named, else by language and model."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from media.models import ModelError, model_dir
from media.speech.synthesis.errors import SynthesisError
from media.speech.synthesis.piper.config import read_config
from media.speech.synthesis.registry import PACKAGED

KOKORO = "kokoro:"

LANGUAGES_BY_LETTER: Final = {"a": "en", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "p": "pt"}
"""ISO 639-1 by the first letter of a Kokoro voice.

Its Japanese (j) and Chinese (z) voices are left out: they were trained on phonemes that espeak does not give, and read
characters wrongly.
"""

_FIRST_CHOICE: Final = {
    "en-US": "af_heart", "en-GB": "bf_emma", "en": "af_heart", "es": "ef_dora", "fr": "ff_siwis", "hi": "hf_alpha",
    "it": "if_sara", "pt": "pf_dora",
}  # fmt: skip

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class NoVoice(ValueError):
    """No voice here is what was asked for; the text says what there is and is fit for who asked."""


@dataclass(frozen=True, slots=True)
class Voices:
    """The voices of this server: `names` as `VoiceRegistry.names` has them, `default` one of them or a path.

    `default_language`: what the default voice speaks, ISO 639-1.
    """

    names: tuple[str, ...]
    default: str
    default_language: str = "en"

    def language_of(self, name: str) -> str | None:
        """What a voice speaks, ISO 639-1; None for one that speaks nothing we can vouch for."""
        if name == self.default:
            return self.default_language
        if name.startswith(KOKORO):
            return LANGUAGES_BY_LETTER.get(name.removeprefix(KOKORO)[:1])
        return "en" if name == "piper-joe" else None

    @property
    def languages(self) -> tuple[str, ...]:
        """What can be spoken, ISO 639-1, sorted."""
        return tuple(sorted({found for name in {*self.names, self.default} if (found := self.language_of(name))}))

    @property
    def offered(self) -> tuple[str, ...]:
        """The voices that may be named: all that speak a language we can vouch for."""
        return tuple(name for name in dict.fromkeys((self.default, *self.names)) if self.language_of(name))

    def choose(self, *, language: str | None, voice: str | None = None, kokoro: bool = False) -> str:
        """The name of the voice that speaks.

        A named `voice` decides; otherwise the `language` (None: the default voice's), where `kokoro` prefers its
        voices to the default one if they are here. Raises `NoVoice`.
        """
        if voice is not None:
            return self._named(voice, language)
        if language is None:
            language = self.default_language
        base = base_language(language)
        if base == self.default_language and not (kokoro and self._kokoro_voice(language) is not None):
            return self.default
        found = self._kokoro_voice(language)
        if found is None:
            raise NoVoice(f"no voice here speaks {language!r}; there are voices for {', '.join(self.languages)}")
        return found

    def _named(self, voice: str, language: str | None) -> str:
        if voice not in self.offered:
            raise NoVoice(f"there is no voice {voice!r} here; there are {_listed(self.offered)}")
        spoken = self.language_of(voice)
        if language is not None and spoken != base_language(language):
            raise NoVoice(f"{voice} speaks {spoken}, not {language}")
        return voice

    def _kokoro_voice(self, language: str) -> str | None:
        base, _, region = language.partition("-")
        for key in (f"{base.lower()}-{region.upper()}", base.lower()):
            if (name := KOKORO + _FIRST_CHOICE.get(key, "")) in self.names:
                return name
        return None


def base_language(tag: str) -> str:
    """ISO 639-1 of a BCP-47 tag: "en-US" is "en". Raises `ValueError` for what is no tag."""
    if not _TAG.fullmatch(tag):
        raise ValueError("must be a language tag like en or en-US")
    return tag.partition("-")[0].lower()


def _listed(names: Collection[str], most: int = 12) -> str:
    shown = list(names)[:most]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")


def voices_here(default: str) -> Voices:
    """The voices whose weights are on this machine; `default` is the settings' own. Reads files."""
    names = list(PACKAGED)
    with contextlib.suppress(ModelError):  # not fetched: there are no such voices
        names += sorted(KOKORO + style.stem for style in (model_dir("kokoro") / "voices").glob("*.bin"))
    return Voices(tuple(names), default, _language_of_default(default))


def _language_of_default(name: str) -> str:
    if name.startswith(KOKORO):
        return LANGUAGES_BY_LETTER.get(name.removeprefix(KOKORO)[:1], "en")
    base = name.partition("#")[0]
    if not base.endswith(".onnx"):
        return "en"
    try:
        return read_config(Path(f"{base}.json").expanduser()).language.partition("-")[0]
    except SynthesisError:
        return "en"  # the engine itself says what is wrong with it
