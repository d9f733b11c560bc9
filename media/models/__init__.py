"""The weights of all models: what they are, where they come from, and whether they are here and whole.

`model_dir` gives the folder of a verified model, `derived_dir` one for files computed from its weights, `require` and
`status` say what is missing, `prepare` fetches it. The command line is `python -m media.models`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from media.models.errors import ModelDamaged, ModelError, ModelFetchFailed, ModelMissing, ModelUnknown
from media.models.fetch import Source, fetch
from media.models.manifest import default_manifest
from media.models.progress import Console, Progress, Silent
from media.models.store import Store, models_root

__all__ = [
    "Console",
    "ModelDamaged",
    "ModelError",
    "ModelFetchFailed",
    "ModelMissing",
    "ModelUnknown",
    "Progress",
    "Silent",
    "Source",
    "Store",
    "default_models",
    "derived_dir",
    "fetch",
    "model_dir",
    "models_root",
    "prepare",
    "require",
    "status",
]


def default_models() -> tuple[str, ...]:
    """Names of the models of the default installation."""
    return default_manifest().required


def model_dir(name: str) -> Path:
    """The folder of a model whose files are all there and whole.

    Raises `ModelUnknown`, `ModelMissing` or `ModelDamaged`; the text gives the command that mends it.
    """
    return Store().model_dir(name)


def derived_dir(name: str, version: str) -> Path:
    """A folder, created if need be, for files computed from these weights in the way `version` names."""
    return Store().derived_dir(name, version)


def require(names: Iterable[str]) -> None:
    """Raise one `ModelError` unless all these models can be used."""
    Store().require(names)


def status(names: Iterable[str]) -> dict[str, str]:
    """For each of these models that cannot be used, why; empty when all can."""
    return Store().status(names)


def prepare(names: Iterable[str], *, progress: Progress | None = None) -> list[str]:
    """Fetch those of these models that are missing or damaged; returns their names. Raises `ModelError`."""
    return fetch(Store(), names, progress=progress)
