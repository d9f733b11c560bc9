"""What an agent is to be made of, as the request names it: URLs, and files that came inside the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from server.fetching import FetchError, UrlPolicy, check_url, decode_base64

Kind = Literal["image", "video", "audio"]
KINDS: Final[tuple[Kind, ...]] = ("image", "video", "audio")
MIB: Final = 1 << 20
MOST_BYTES: Final[Mapping[Kind, int]] = {"image": 20 * MIB, "video": 200 * MIB, "audio": 50 * MIB}
"""Of each file, fetched or sent."""
PROMPT_LENGTH: Final = 8000

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20}):")  # no base64 has a colon


class SourceRefused(ValueError):
    """A source that cannot be used; the text names the field and the fix."""


@dataclass(frozen=True, slots=True)
class Sources:
    """A prompt, the URL of each file that is to be fetched, and the bytes of those that were sent."""

    prompt: str = ""
    urls: Mapping[Kind, str] = field(default_factory=dict)
    data: Mapping[Kind, bytes] = field(default_factory=dict, repr=False)

    def as_json(self) -> dict[str, Any]:
        """As the agent's row keeps it; of files that were sent only that they were."""
        return {"prompt": self.prompt, "urls": dict(self.urls), "files": sorted(self.data)}

    def save(self, folder: Path) -> None:
        """Write the files that were sent, each under its kind's name. Raises `OSError`."""
        folder.mkdir(parents=True, exist_ok=True)
        for kind, data in self.data.items():
            (folder / kind).write_bytes(data)


def read_sources(prompt: str | None, given: Mapping[Kind, str | None], policy: UrlPolicy) -> Sources:
    """Tell URLs from data, and check both as far as can be without fetching. Raises `SourceRefused`.

    Blank texts count as not given. Decodes what was sent, so it takes time for large files: not on the event loop.
    """
    urls: dict[Kind, str] = {}
    data: dict[Kind, bytes] = {}
    for kind in KINDS:
        text = (given.get(kind) or "").strip()
        if not text:
            continue
        try:
            if scheme_of(text) in ("", "data"):
                data[kind] = decode_base64(text, MOST_BYTES[kind])
            else:
                urls[kind] = check_url(text, policy).url
        except FetchError as error:
            hint = "" if scheme_of(text) else f" Send an https:// URL, or the {kind} itself as base64."
            raise SourceRefused(f"{kind}: {error.message}{hint}") from error
    return Sources((prompt or "").strip(), urls, data)


def scheme_of(text: str) -> str:
    """The scheme of what looks like a URL, "" for anything else."""
    found = _SCHEME.match(text)
    return "" if found is None else found[1].lower()
