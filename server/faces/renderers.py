"""The renderer that the settings ask for; where a network cannot be had, the puppet draws."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import structlog

from media.avatar.errors import NetworkInvalid
from media.avatar.neural.adapter import LipSyncAdapter
from media.avatar.neural.registry import open_adapter
from media.avatar.neural.renderer import NeuralRenderer
from media.avatar.renderer import PuppetRenderer, Renderer
from server.faces.options import FaceOptions

log = structlog.get_logger(__name__)

_CHUNK = 1 << 20


async def open_renderer(options: FaceOptions) -> Renderer:
    """The renderer of the settings, its weights checked. What stands in its way is logged, and the puppet taken."""
    if options.renderer == "puppet":
        return PuppetRenderer(threads=options.threads)
    try:
        adapter = await asyncio.to_thread(_adapter, options)
    except (NetworkInvalid, OSError) as error:
        log.warning("lip-sync network not usable: the puppet draws", network=options.renderer, reason=str(error))
        return PuppetRenderer(threads=options.threads)
    return NeuralRenderer(adapter, threads=options.threads)


def checksum(weights: Path) -> str:
    """SHA-256 of a file; of a folder, that of its lines `checksum  name` for each file, sorted by name."""
    if weights.is_dir():
        files = sorted(path for path in weights.iterdir() if path.is_file())
        return hashlib.sha256("".join(f"{checksum(path)}  {path.name}\n" for path in files).encode()).hexdigest()
    digest = hashlib.sha256()
    with weights.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _adapter(options: FaceOptions) -> LipSyncAdapter:
    if options.weights is None:
        raise NetworkInvalid(f"avatar.weights is not set: where are the weights of {options.renderer}?")
    weights = options.weights.expanduser()
    if options.checksum and weights.exists() and (found := checksum(weights)) != options.checksum.lower():
        raise NetworkInvalid(f"{weights} has the SHA-256 {found}, not that of avatar.weights_sha256")
    return open_adapter(options.renderer, weights)
