"""Portraits for films: found in a picture, or kept with an avatar."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import numpy as np
from PIL import Image

from media.avatar.errors import PackInvalid
from media.avatar.landmarks import Picture
from media.avatar.pack import load_pack
from media.studio.framing import Portrait
from server.avatars.library import PACK, SOURCE
from server.avatars.records import ID
from server.jobs.handlers import JobFailed
from server.renders.ingredients import explained
from server.renders.models import RenderModels


async def portrait_of(models: RenderModels, picture: Picture, field: str) -> Portrait:
    """The face in a picture and the picture around it. Raises `JobFailed` where it cannot become an avatar."""
    async with models.landmarker() as landmarker:
        with explained(field):
            return await asyncio.to_thread(Portrait.of_picture, picture, landmarker)


async def avatar_portrait(models: RenderModels, avatar_id: str) -> Portrait:
    """An avatar of the library, in the picture it was made of. Raises `JobFailed` where it was deleted meanwhile."""
    folder = models.avatars_dir / avatar_id
    if not ID.fullmatch(avatar_id) or not await asyncio.to_thread(folder.is_dir):
        raise JobFailed("The avatar is not there any more", "NOT_FOUND")
    source = await asyncio.to_thread(_source, folder)
    if source is not None:
        return await portrait_of(models, source, "avatar_id")
    try:
        return Portrait.of_pack(await asyncio.to_thread(load_pack, folder / PACK))
    except (PackInvalid, OSError) as error:
        raise JobFailed("The avatar is not there any more", "NOT_FOUND") from error


def _source(folder: Path) -> Picture | None:
    """The picture an avatar was made of: a JPEG that we wrote ourselves."""
    try:
        with Image.open(io.BytesIO((folder / SOURCE).read_bytes()), formats=["JPEG"]) as image:
            return np.array(image.convert("RGB"))
    except OSError:
        return None
