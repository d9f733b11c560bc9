"""The avatar pack: what enrolment makes of a portrait and every renderer starts from.

A folder with `portrait.png` (512×512, RGB), `geometry.npz` (landmarks) and `manifest.json` (format version, name,
warnings, size and SHA-256 of both). What a renderer derives from these it computes itself, so that a better renderer
serves old packs. A pack appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from media.avatar.errors import PackInvalid
from media.avatar.landmarks import Picture, Points
from media.avatar.topology import LANDMARKS

FORMAT = 1
SIDE = 512
"""Side of a pack's portrait and of every frame, in pixels."""

_PORTRAIT = "portrait.png"
_GEOMETRY = "geometry.npz"
_MANIFEST = "manifest.json"
_LARGEST = 4 << 20  # bytes of any one file


@dataclass(frozen=True, slots=True, eq=False)
class AvatarPack:
    """A portrait fit to be animated.

    `portrait`: RGB, uint8, shape [512, 512, 3]. `landmarks`: float32, shape [478, 3], pixels of the portrait.
    `face_height`: forehead to chin in pixels of the picture it was cut from. `warnings`: what the person who
    made it should know. `digest` names the contents: equal packs have equal digests.
    """

    name: str
    portrait: Picture
    landmarks: Points
    face_height: float
    warnings: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of portrait and landmarks, in hex."""
        return hashlib.sha256(self.portrait.tobytes() + self.landmarks.tobytes()).hexdigest()


def save_pack(pack: AvatarPack, folder: Path) -> None:
    """Write the pack as `folder`, replacing a pack that is there.

    Raises `PackInvalid` where `folder` is something else, `OSError` where the disk refuses.
    """
    if folder.exists() and not (folder / _MANIFEST).is_file():
        raise PackInvalid(f"{folder} exists and is no avatar pack; choose another name")
    files = {_PORTRAIT: _png(pack.portrait), _GEOMETRY: _npz(pack.landmarks)}
    manifest = {
        "format": FORMAT,
        "name": pack.name,
        "face_height": round(pack.face_height, 1),
        "warnings": list(pack.warnings),
        "digest": pack.digest,
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
        },
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        fresh, old = Path(scratch) / "new", Path(scratch) / "old"
        fresh.mkdir()
        for name, data in files.items():
            (fresh / name).write_bytes(data)
        (fresh / _MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")
        if folder.exists():
            folder.rename(old)
        try:
            fresh.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise


def load_pack(folder: Path) -> AvatarPack:
    """Read a pack and check it to the byte. Raises `PackInvalid`, saying what is wrong with it."""
    manifest = _manifest(folder)
    portrait = _read_portrait(_checked(folder, manifest, _PORTRAIT), folder)
    landmarks = _read_landmarks(_checked(folder, manifest, _GEOMETRY), folder)
    try:
        return AvatarPack(
            name=str(manifest["name"]),
            portrait=portrait,
            landmarks=landmarks,
            face_height=float(manifest["face_height"]),
            warnings=tuple(str(warning) for warning in manifest["warnings"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PackInvalid(f"{folder / _MANIFEST}: {error!r}; make the avatar anew") from error


def pack_digest(folder: Path) -> str:
    """What names the contents of a pack, as its manifest has it; nothing else is read. Raises `PackInvalid`."""
    digest = _manifest(folder).get("digest")
    if not isinstance(digest, str) or len(digest) != hashlib.sha256().digest_size * 2:
        raise PackInvalid(f"{folder / _MANIFEST}: there is no digest; make the avatar anew")
    return digest


def zip_pack(folder: Path) -> bytes:
    """The pack as one zip archive, for download. Raises `PackInvalid` as `load_pack` does."""
    load_pack(folder)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in (_MANIFEST, _PORTRAIT, _GEOMETRY):
            archive.write(folder / name, name)
    return buffer.getvalue()


def remove_pack(folder: Path) -> None:
    """Delete a pack; nothing happens where there is none. Raises `PackInvalid` for any other folder."""
    if not folder.exists():
        return
    if not (folder / _MANIFEST).is_file():
        raise PackInvalid(f"{folder} is no avatar pack")
    shutil.rmtree(folder)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise PackInvalid(f"{folder} is no avatar pack: {_MANIFEST} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise PackInvalid(f"{path} is not JSON: {error}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise PackInvalid(f"{path} is not the manifest of an avatar pack")
    if manifest.get("format") != FORMAT:
        raise PackInvalid(
            f"{path}: format {manifest.get('format')!r}, this version reads {FORMAT}; make the avatar anew"
        )
    return manifest


def _checked(folder: Path, manifest: dict[str, Any], name: str) -> bytes:
    path = folder / name
    expected = manifest["files"].get(name)
    try:
        if path.stat().st_size > _LARGEST:
            raise PackInvalid(f"{path} is larger than {_LARGEST} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise PackInvalid(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(expected, dict) or hashlib.sha256(data).hexdigest() != expected.get("sha256"):
        raise PackInvalid(f"{path} is damaged: its checksum is not the manifest's; make the avatar anew")
    return data


def _read_portrait(data: bytes, folder: Path) -> Picture:
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.size != (SIDE, SIDE):
                raise PackInvalid(f"{folder / _PORTRAIT} is {image.size}, not {SIDE}×{SIDE}")
            return np.array(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise PackInvalid(f"{folder / _PORTRAIT} is not a PNG: {error}") from error


def _read_landmarks(data: bytes, folder: Path) -> Points:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            landmarks = arrays["landmarks"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise PackInvalid(f"{folder / _GEOMETRY}: {error}") from error
    if landmarks.shape != (LANDMARKS, 3) or landmarks.dtype != np.float32 or not np.isfinite(landmarks).all():
        raise PackInvalid(f"{folder / _GEOMETRY}: landmarks are not float32 [{LANDMARKS}, 3]")
    return np.asarray(landmarks, np.float32)


def _png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _npz(landmarks: Points) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, landmarks=landmarks.astype(np.float32))
    return buffer.getvalue()
