"""A package registry in a folder, and models made of a few bytes, for tests that run the real pip."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from media.models.manifest import Manifest, Model, ModelFile, Package, Part


def write_wheel(folder: Path, name: str, members: Mapping[str, bytes], version: str = "1.0") -> Path:
    """Write a wheel that pip accepts, with these members, and return its path."""
    distribution = name.replace("-", "_")
    info = f"{distribution}-{version}.dist-info"
    contents = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{member},{_record_hash(data)},{len(data)}" for member, data in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    path = folder / f"{distribution}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, data in contents.items():
            wheel.writestr(member, data)
    return path


def model_file(path: str, data: bytes, *sources: str) -> ModelFile:
    """A manifest entry for this content, from PACKAGE:MEMBER sources."""
    parts = tuple(Part(*source.split(":")) for source in sources)
    return ModelFile(path, len(data), hashlib.sha256(data).hexdigest(), parts)


def model(name: str, *files: ModelFile, required: bool = True) -> Model:
    """A model of these files."""
    return Model(name=name, purpose="a test", licence="CC0-1.0", lineage="made here", files=files, required=required)


def manifest(*models: Model, registry: str = "pypi") -> Manifest:
    """A manifest of these models, with every package at its first version."""
    names = {part.package for entry in models for file in entry.files for part in file.parts}
    version = "1.0.0" if registry == "npm" else "1.0"
    packages = {name: Package(name, registry, version, 1000) for name in sorted(names)}
    return Manifest({entry.name: entry for entry in models}, packages)


def _record_hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
