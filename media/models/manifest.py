"""The manifest: which models there are, their files to the byte, and where these come from."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from media.models.errors import ModelUnknown

MANIFEST_FILE = Path(__file__).with_name("manifest.yaml")


@dataclass(frozen=True, slots=True)
class Package:
    """An archive in a package registry. `registry` is pypi or npm; `bytes` is the size of the download."""

    name: str
    registry: str
    version: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Part:
    """A member of a package's archive."""

    package: str
    member: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model, relative to the model's folder; `parts`, joined in order, make it (none: in no package)."""

    path: str
    bytes: int
    sha256: str
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Hub:
    """A Hugging Face repository at a commit; `paths` maps our file names to the ones there where they differ."""

    repo: str
    revision: str
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `required` models belong to the default installation."""

    name: str
    purpose: str
    licence: str
    lineage: str
    files: tuple[ModelFile, ...]
    required: bool = False
    hub: Hub | None = None

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Manifest:
    """All models and the packages they come from, by name."""

    models: Mapping[str, Model]
    packages: Mapping[str, Package]

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the models of the default installation."""
        return tuple(name for name, model in self.models.items() if model.required)

    def model(self, name: str) -> Model:
        """The model of this name. Raises `ModelUnknown`, which lists the names there are."""
        try:
            return self.models[name]
        except KeyError:
            raise ModelUnknown(f"there is no model {name!r}; there are: {', '.join(self.models)}") from None


def load_manifest(path: Path = MANIFEST_FILE) -> Manifest:
    """Read a manifest. Raises `ValueError` where it contradicts itself."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data = yaml.load(path.read_text("utf-8"), loader)  # noqa: S506 - one of the safe loaders, chosen above
    packages = {name: Package(name=name, **entry) for name, entry in data["packages"].items()}
    models = {name: _model(name, entry) for name, entry in data["models"].items()}
    for model in models.values():
        for file in model.files:
            if Path(file.path).is_absolute() or ".." in Path(file.path).parts:
                raise ValueError(f"{model.name}: {file.path} leaves the model's folder")
            for part in file.parts:
                if part.package not in packages:
                    raise ValueError(f"{model.name}: {file.path} comes from {part.package}, which is not in packages")
    return Manifest(models, packages)


@functools.cache
def default_manifest() -> Manifest:
    """The manifest that ships with Visavis."""
    return load_manifest()


def _model(name: str, entry: dict[str, Any]) -> Model:
    files = tuple(
        ModelFile(
            path=file["path"],
            bytes=file["bytes"],
            sha256=file["sha256"],
            parts=tuple(Part(*source.split(":", 1)) for source in file.get("from", ())),
        )
        for file in entry.pop("files")
    )
    hub = entry.pop("hub", None)
    return Model(name=name, files=files, hub=Hub(**hub) if hub else None, **entry)
